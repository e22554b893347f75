import socket

kept = []
block = b"x" * 65536
while len(kept) < 3800:
    kept += socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM if len(kept) % 4 else socket.SOCK_DGRAM)
    for end in kept[-2:]:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        end.setblocking(False)
        try:
            while True:
                end.send(block)
        except BlockingIOError:
            pass
