import mmap
import os

from honest import OUTPUT, answers, write

SIZE, LIMIT = 100 * 1024, 1 << 20
held = []
try:
    while len(held) < 6000:
        file = os.open(OUTPUT / "x", os.O_RDWR | os.O_CREAT)
        try:
            os.posix_fallocate(file, 0, SIZE)
            held.append(mmap.mmap(file, 4096))
        finally:
            os.unlink(OUTPUT / "x")
            os.close(file)
except OSError as error:
    print(f"{len(held)} files held, then: {error}")
assert len(held) * SIZE <= LIMIT + 128 * 1024, len(held)
for mapped in held:
    mapped.close()
write(answers())
