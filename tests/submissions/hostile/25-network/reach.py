import socket

for host, port in (("127.0.0.1", 18931), ("172.17.0.1", 18931), ("169.254.169.254", 80), ("192.0.2.1", 53)):
    try:
        socket.create_connection((host, port), timeout=1)
    except OSError as error:
        print(f"{host}: {error}")
    else:
        raise SystemExit(f"SUCCEEDED {host}")
