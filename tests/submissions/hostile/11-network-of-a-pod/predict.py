import socket
import struct

from honest import answers, must_fail, write

PORT = 18_931  # where the test listens on the host, on every address and on an abstract Unix socket
CLOSED = 18_932
HOST, PING = "172.17.0.1", struct.pack("!BBHHH", 8, 0, 0, 0, 1)


def connects(host, port):
    return lambda: socket.create_connection((host, port), timeout=0.4)


def asks(host, port, content=b"x", protocol=0):
    """A datagram that is sent reaches nobody unless something comes back, be it a refusal."""

    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, protocol) as asking:
            asking.settimeout(0.4)
            asking.connect((host, port))
            asking.send(content)
            try:
                return asking.recv(1000)
            except ConnectionRefusedError:
                return "refused"

    return ask


must_fail(
    {
        "loopback of the host": connects("127.0.0.1", PORT),
        "bridge of the host": connects(HOST, PORT),
        "metadata address": connects("169.254.169.254", 80),
        "internet": connects("192.0.2.1", 53),
        "datagrams to the host": asks(HOST, CLOSED),
        "pings of the host": asks(HOST, 0, PING, socket.IPPROTO_ICMP),
        "names": lambda: socket.getaddrinfo("example.org", 80),
        "abstract Unix socket": lambda: socket.socket(socket.AF_UNIX).connect("\0palio-canary"),
        "raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    }
)
write(answers())
