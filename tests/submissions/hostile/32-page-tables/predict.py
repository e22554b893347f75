import mmap

from honest import answers, write

SIZE = 400 << 30  # 800 MiB of page tables
memory = mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)  # MAP_NORESERVE
for place in range(0, SIZE, 2 << 20):
    memory[place]
write(answers())
