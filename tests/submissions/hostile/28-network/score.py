import socket

for address in (("127.0.0.1", 18931), ("172.17.0.1", 18931), ("192.0.2.1", 53)):
    try:
        socket.create_connection(address, timeout=1).sendall(b"labels")
    except OSError:
        continue
    raise SystemExit("SUCCEEDED")
raise SystemExit("refused")
