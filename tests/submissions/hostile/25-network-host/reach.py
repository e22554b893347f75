import os
import socket
import struct
import urllib.request

SERVICE, METADATA = 18931, 80  # on the host's loopback, and on all its addresses
with open("/proc/net/route") as routes:
    gateways = [line.split()[2] for line in routes.readlines()[1:]]
gateways = {socket.inet_ntoa(struct.pack("<L", int(each, 16))) for each in gateways} - {"0.0.0.0"}
hosts = {"127.0.0.1", "localhost", "0.0.0.0", "0x7f.1", "172.17.0.1", "169.254.169.254", "192.0.2.2", *gateways}

print({name: value for name, value in os.environ.items() if "proxy" in name.lower()})
for host in sorted(hosts):
    for port in (SERVICE, METADATA):
        try:
            socket.create_connection((host, port), timeout=0.5)
        except OSError as error:
            print(f"{host}: {error}")
        else:
            raise SystemExit(f"SUCCEEDED {host}")
        for scheme in ("http", "https"):
            try:
                urllib.request.urlopen(f"{scheme}://{host}:{port}/", timeout=10)
            except OSError as error:
                print(f"{scheme}://{host}: {error}")
                if "403" not in str(error) and "refused" not in str(error):
                    raise SystemExit(f"SUCCEEDED {host}: {error}") from None
            else:
                raise SystemExit(f"SUCCEEDED {host}")
