import mmap

from honest import answers, write

SIZE, STEP = 1200 << 20, 16 << 20
memory = mmap.mmap(-1, SIZE)
for place in range(0, SIZE, STEP):
    memory[place : place + STEP] = b"\xa5" * STEP
    memory.madvise(mmap.MADV_DONTNEED, place, STEP)
assert memory[0] == memory[SIZE - 1] == 0xA5
write(answers())
