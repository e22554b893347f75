import ctypes
import os

from honest import OUTPUT, answers, write

LIMIT, ROOM = 1 << 20, 128 * 1024
libc = ctypes.CDLL(None, use_errno=True)


def taken():
    facts = os.statvfs(OUTPUT)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


before = taken()
files = [os.open(OUTPUT / str(number), os.O_RDWR | os.O_CREAT) for number in range(10)]
for file in files:
    libc.fallocate(file, 1, ctypes.c_int64(0), ctypes.c_int64(100 << 20))  # FALLOC_FL_KEEP_SIZE
    os.truncate(file, 100 << 20)
try:
    for number in range(1 << 20):
        os.pwrite(files[number % 10], b"x" * 4096, number // 10 * (1 << 14))
        if number * 4096 > 8 * LIMIT:
            break
except OSError as error:
    print(f"{number} pages, then: {error}")
assert taken() - before <= LIMIT + ROOM, taken()
for number, file in enumerate(files):
    os.unlink(OUTPUT / str(number))
    os.close(file)
write(answers())
