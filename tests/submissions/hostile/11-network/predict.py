import socket

from honest import answers, must_fail, write

PORT = 18_931  # where the test listens on the host, on every address and on an abstract Unix socket


def connects(host, port):
    return lambda: socket.create_connection((host, port), timeout=1)


def sends(host, port):
    return lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", (host, port))


must_fail(
    {
        "loopback of the host": connects("127.0.0.1", PORT),
        "bridge of the host": connects("172.17.0.1", PORT),
        "metadata address": connects("169.254.169.254", 80),
        "internet": connects("192.0.2.1", 53),
        "datagrams": sends("192.0.2.1", 53),
        "names": lambda: socket.getaddrinfo("example.org", 80),
        "abstract Unix socket": lambda: socket.socket(socket.AF_UNIX).connect("\0palio-canary"),
        "raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    }
)
tunnels = ("tunl", "sit", "ip6tnl", "gre", "erspan", "ip_vti", "ip6_vti", "ip6gre")  # down, in every namespace
names = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
assert [name for name in names if not name.startswith(tunnels)] == ["lo"], names
write(answers())
