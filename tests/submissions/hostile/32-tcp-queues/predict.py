import socket

from honest import answers, write

BOUND = 64 << 20  # half of the memory
block = b"x" * 65536
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
kept, held = [], 0
while held < 300 << 20 and len(kept) < 3000:
    try:
        one = socket.create_connection(listener.getsockname(), timeout=1)
        other, _ = listener.accept()
    except OSError as error:
        print(error)
        break
    kept += [one, other]
    for end in (one, other):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        end.setblocking(False)
        try:
            while True:
                held += end.send(block)
        except BlockingIOError:
            pass
print(f"{len(kept)} sockets hold {held >> 20} MiB")
assert held < BOUND, held
write(answers())
