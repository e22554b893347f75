import fcntl
import os

from honest import answers, write

BOUND = 128 << 20
held, kept = 0, []
try:
    while len(kept) < 3800:
        reading, writing = os.pipe2(os.O_NONBLOCK)
        kept += [reading, writing]
        try:
            fcntl.fcntl(writing, 1031, 1 << 20)  # F_SETPIPE_SZ
        except OSError:
            pass
        try:
            while True:
                held += os.write(writing, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as error:
    print(error)
print(f"{len(kept)} ends of pipes hold {held >> 20} MiB")
assert held < BOUND, held
for descriptor in kept:
    os.close(descriptor)
write(answers())
