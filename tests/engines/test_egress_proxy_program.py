"""The egress proxy's program on loopback, where one address represents public ones and another closed ones."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from palio.engines.docker import egress_proxy_program
from palio.engines.docker.egress_proxy_program import EgressProxy, Rules, parsed, responds

OPEN, CLOSED = "127.0.0.1", "127.0.0.2"


class LoopbackRules(Rules):
    def fault_of(self, address: str, port: int) -> str | None:
        return None if address == OPEN else "it is closed for a test"


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what it was sent, up to an empty line or 5 bytes of a tunnel."""
    received = b""
    while not received.endswith((b"\r\n\r\n", b"hello")) and (piece := await reader.read(1000)):
        received += piece
    if received:
        writer.write(b"<" + received + b">")
    writer.close()


def through_proxy(request: bytes | Callable[[int], bytes], peers: str = "127.0.0.0/8", parts: int = 1) -> bytes:
    """The proxy's response to `request`, which may depend on the port of the server behind it."""

    async def ask() -> bytes:
        proxy = EgressProxy(LoopbackRules(peers))
        async with (
            await asyncio.start_server(_echo, OPEN, 0) as server,
            await asyncio.start_server(proxy.serve, OPEN, 0, limit=egress_proxy_program.HEAD_BYTES) as entrance,
        ):
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(OPEN, entrance.sockets[0].getsockname()[1])
            sent = request if isinstance(request, bytes) else request(port)
            size = -(-len(sent) // parts)
            for begin in range(0, len(sent), size):
                writer.write(sent[begin : begin + size])
                await writer.drain()
                await asyncio.sleep(0)
            received = b""
            with suppress(ConnectionResetError):
                received = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait_for(asyncio.gather(*others), 10)
            return received

    with ThreadPoolExecutor(1) as aside:  # a browser of other tests may have a loop in this thread
        return aside.submit(asyncio.run, ask()).result()


@pytest.mark.parametrize("parts", [1, 7])
def test_connect_tunnel(parts: int) -> None:
    answer = through_proxy(lambda port: f"CONNECT {OPEN}:{port} HTTP/1.1\r\n\r\nhello".encode(), parts=parts)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n<hello>"


def test_plain_request_without_proxy_headers() -> None:
    answer = through_proxy(
        lambda port: (
            f"GET http://localhost:{port}/a?b=c HTTP/1.1\r\nHost: localhost\r\nProxy-Connection: keep-alive\r\n"
            "Connection: keep-alive\r\nAccept: */*\r\n\r\n"
        ).encode()
    )
    assert answer == b"<GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n>"


@pytest.mark.parametrize(
    "request_", [f"CONNECT {CLOSED}:1 HTTP/1.1\r\n\r\n", f"GET http://{CLOSED}:1/ HTTP/1.1\r\n\r\n"]
)
def test_closed_address_refused(request_: str, capfd: pytest.CaptureFixture[str]) -> None:
    answer = through_proxy(request_.encode()).decode()
    assert answer.startswith(f"HTTP/1.1 403 Refused by the egress proxy: {CLOSED}, port 1: it is closed for a test.")
    assert capfd.readouterr().out == f"refused: {CLOSED}, port 1: it is closed for a test\n"


def test_refusals_logged_few_times(capfd: pytest.CaptureFixture[str]) -> None:
    proxy = EgressProxy(Rules("127.0.0.0/8"))
    for number in range(100):
        proxy._note(str(number))
    assert len(capfd.readouterr().out.splitlines()) == egress_proxy_program.REFUSALS_SHOWN


@pytest.mark.parametrize(
    "head",
    [
        "",
        "GET",
        "GET / HTTP/1.1",
        "GET https://a/ HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "GET http://[::1]/ HTTP/1.1",
        "GET http://a:x/ HTTP/1.1",
        "CONNECT a HTTP/1.1",
        "CONNECT [::1]:443 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        f"CONNECT {'a' * 300}:443 HTTP/1.1",
        "CONNECT a\tb:443 HTTP/1.1 x",
    ],
)
def test_invalid_request_refused(head: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parsed(f"{head}\r\n\r\n".encode())
    assert through_proxy(f"{head}\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 400 This is a proxy for http:// and https://"
    )


def test_long_head_refused() -> None:
    head = b"GET http://a/ HTTP/1.1\r\nX: " + b"x" * 2 * egress_proxy_program.HEAD_BYTES
    assert through_proxy(head + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_slow_client_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_proxy_program, "HEAD_S", 0.05)
    assert through_proxy(b"GET http://a/") == b""


def test_silent_tunnel_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_proxy_program, "IDLE_S", 0.05)
    answer = through_proxy(lambda port: f"CONNECT {OPEN}:{port} HTTP/1.1\r\n\r\n".encode())
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n"


def test_server_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind((OPEN, 0))
        port = unused.getsockname()[1]
    answer = through_proxy(f"CONNECT {OPEN}:{port} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 502 The egress proxy cannot reach {OPEN}:{port}: ".encode())


def test_stranger_refused() -> None:
    assert through_proxy(b"GET http://a/ HTTP/1.1\r\n\r\n", peers="10.0.0.0/8") == b""


RULES = Rules(
    "172.20.0.0/16", host=("198.51.100.7", "10.1.2.9"), reach=("10.1.2.0/24", "169.254.0.0/16", "100.64.0.0/10")
)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("8.8.8.8", None),
        ("192.31.196.1", None),
        ("10.1.2.3", None),
        ("100.64.0.1", None),
        ("198.51.100.7", "it is the build machine"),
        ("10.1.2.9", "it is the build machine"),
        ("10.1.3.3", "it is a private network"),
        ("172.16.0.1", "it is a private network"),
        ("172.31.255.255", "it is a private network"),
        ("192.168.1.1", "it is a private network"),
        ("192.0.0.9", "it is a network for protocols"),  # which newer versions of Python call global
        ("192.0.0.170", "it is a network for protocols"),
        ("192.0.2.1", "it is a network for documentation"),
        ("198.51.100.8", "it is a network for documentation"),
        ("203.0.113.80", "it is a network for documentation"),
        ("192.88.99.1", "it is a relay to IPv6"),
        ("198.18.0.1", "it is a network for benchmarks"),
        ("198.19.255.255", "it is a network for benchmarks"),
        ("169.254.169.254", "it is link-local, such as a cloud's metadata service"),
        ("168.63.129.16", "it is an Azure host service"),
        ("100.100.100.200", "it is the metadata service of Alibaba Cloud"),
        ("192.0.0.192", "it is the metadata service of Oracle Cloud"),
        ("127.9.9.9", "it is the egress proxy itself"),
        ("0.0.0.1", "it is this network"),
        ("239.1.1.1", "it is multicast and reserved"),
        ("240.0.0.1", "it is multicast and reserved"),
        ("255.255.255.255", "it is multicast and reserved"),
    ],
)
def test_addresses(address: str, fault: str | None) -> None:
    assert RULES.fault_of(address, 443) == fault


def test_non_global_addresses_closed() -> None:
    """Else it would depend on the version of Python that the program runs on."""
    closed = [IPv4Network(network) for network in (*egress_proxy_program.NEVER, *egress_proxy_program.SPECIAL)]
    special = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"]
    special += ["192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"]
    special += ["203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"]
    assert [each for each in special if not any(IPv4Network(each).subnet_of(network) for network in closed)] == []


@pytest.mark.parametrize("port", [22, 25, 8080, 0, 65536])
def test_ports_closed_by_default(port: int) -> None:
    assert RULES.fault_of("8.8.8.8", port) == "only the ports 80, 443 are open"
    assert RULES.fault_of("10.1.2.3", port) == "only the ports 80, 443 are open"
    assert Rules("172.20.0.0/16", ports=(80, 443, port)).fault_of("8.8.8.8", port) is None


ARP_HEAD = "IP address       HW type     Flags       HW address            Mask     Device\n"


@pytest.mark.parametrize(
    ("flags", "answered"),
    [
        ("0x2", True),
        ("0x6", True),  # complete, and so forever
        ("0x0", False),  # asked for, and nobody answered
    ],
)
def test_responds_by_arp_flags(flags: str, answered: bool, tmp_path: Path) -> None:
    table = tmp_path / "arp"
    rows = [("127.0.0.30", "0x2"), (CLOSED, flags)]
    lines = [f"{address:<17}0x1         {flag:<12}02:42:ac:11:00:01     *        eth1\n" for address, flag in rows]
    table.write_text(ARP_HEAD + "".join(lines))
    assert responds(CLOSED, table) is answered


def test_responds_without_arp_entry(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    table.write_text(ARP_HEAD)
    with pytest.raises(OSError, match=rf"has no entry for {CLOSED}"):
        responds(CLOSED, table)
    with pytest.raises(FileNotFoundError):
        responds(CLOSED, tmp_path / "none")
