import socket

from honest import answers, write

BOUND = 64 << 20  # half of the memory
kept = []
for _ in range(200):
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind(("127.0.0.1", 0))
    end.setblocking(False)
    kept.append(end)
    for _ in range(100):
        try:
            end.sendto(b"x" * 60_000, end.getsockname())
        except OSError:
            break
held = 0
for end in kept:
    while True:
        try:
            held += len(end.recv(65536))
        except BlockingIOError:
            break
print(f"{len(kept)} sockets held {held >> 20} MiB")
assert held < BOUND, held
write(answers())
