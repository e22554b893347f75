import os
import socket

from honest import OUTPUT, answers, write

SIZE, LIMIT = 100 * 1024, 1 << 20
pairs, sent = [], 0
try:
    while sent < 3000:
        if sent % 200 == 0:
            pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
        file = os.open(OUTPUT / "x", os.O_RDWR | os.O_CREAT)
        try:
            os.posix_fallocate(file, 0, SIZE)
            socket.send_fds(pairs[-1][0], [b"x"], [file])
        finally:
            os.unlink(OUTPUT / "x")
            os.close(file)
        sent += 1
except OSError as error:
    print(f"{sent} descriptors in flight, then: {error}")
assert sent * SIZE <= LIMIT + 128 * 1024, sent
for pair in pairs:
    for end in pair:
        end.close()
write(answers())
