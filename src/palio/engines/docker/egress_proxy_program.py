"""The program of a build's egress proxy: proxies HTTP and HTTPS to public addresses only.

    python -I egress_proxy_program.py RULES       RULES: JSON, see `Rules`

It is run as text in its own container, on a Python without packages. First it checks whether the host responds on the
build's network, and if so refuses to start. It resolves each name itself, judges the addresses, and connects to an
address that it has judged, so that no second look-up can lead elsewhere. Refusals go to standard output, one per line,
for the build's log.

It supports only IPv4: it resolves no other addresses and accepts none that are written out. So nothing reaches IPv6,
nor IPv6 addresses that stand for IPv4 ones (mapped, 6to4, NAT64).
"""

import asyncio
import contextlib
import ipaddress
import json
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PORT = 3128
READY = "ready"
EXPOSED = "exposed: "
REFUSED = "refused: "
HEAD_BYTES = 16 * 1024
HEAD_S, IDLE_S, LINGER_S = 30.0, 300.0, 2.0
ARP_S, ARP_POLL_S = 0.3, 0.01  # a kernel responds on its own bridge in far less than a millisecond
ARP_TABLE, ARP_COMPLETE = Path("/proc/net/arp"), 0x2
CONNECTIONS = 128
REFUSALS_SHOWN = 20
PIECE_BYTES = 64 * 1024
PORTS = (80, 443)  # open unless the operator adds others
# Written out in full, because Python versions disagree about addresses, and the program runs on any version. Closed
# whatever an operator opens: the host itself, its cloud's services, and whatever is not a single machine.
NEVER = {
    "0.0.0.0/8": "this network",
    "127.0.0.0/8": "the egress proxy itself",
    "169.254.0.0/16": "link-local, such as a cloud's metadata service",
    "168.63.129.16/32": "an Azure host service",
    "100.100.100.200/32": "the metadata service of Alibaba Cloud",
    "192.0.0.192/32": "the metadata service of Oracle Cloud",
    "224.0.0.0/3": "multicast and reserved",
}
# Closed unless an operator opens it: what IANA's registries list as special, except what they list as global.
SPECIAL = {
    "10.0.0.0/8": "a private network",
    "100.64.0.0/10": "a provider's private network",
    "172.16.0.0/12": "a private network",
    "192.0.0.0/24": "a network for protocols",
    "192.0.2.0/24": "a network for documentation",
    "192.88.99.0/24": "a relay to IPv6",
    "192.168.0.0/16": "a private network",
    "198.18.0.0/15": "a network for benchmarks",
    "198.51.100.0/24": "a network for documentation",
    "203.0.113.0/24": "a network for documentation",
}


class RefusedError(Exception):
    """The connection is refused. The text says where to and why."""


@dataclass(frozen=True)
class Rules:
    """The proxy's rules.

    `peers`: the network that may connect. `host`: the host's own addresses. `reach`: special networks that are open.
    `ports`: open ports.
    """

    peers: str
    host: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    ports: tuple[int, ...] = PORTS

    def fault_of(self, address: str, port: int) -> str | None:
        """Why this IPv4 address and port are closed, or None if they are open."""
        judged = ipaddress.IPv4Address(address)
        if address in self.host:
            return "it is the build machine"
        if what := _network_of(judged, NEVER):
            return f"it is {what}"
        if not any(judged in ipaddress.IPv4Network(network) for network in self.reach):
            if what := _network_of(judged, SPECIAL):
                return f"it is {what}"
            if not judged.is_global:
                return "it is not a public address"
        if port not in self.ports:
            return f"only the ports {', '.join(map(str, self.ports))} are open"
        return None


def _network_of(address: ipaddress.IPv4Address, networks: dict[str, str]) -> str | None:
    return next((what for network, what in networks.items() if address in ipaddress.IPv4Network(network)), None)


class EgressProxy:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._peers = ipaddress.IPv4Network(rules.peers)
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._shown = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError), contextlib.closing(writer):
            if ipaddress.ip_address(writer.get_extra_info("peername")[0]) in self._peers:
                async with self._free:
                    await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, host, port, first = parsed(head)
            upstream = await self._connect(host, port)
        except asyncio.LimitOverrunError:
            return await _respond(reader, writer, 431, f"The request header exceeds {HEAD_BYTES} bytes.")
        except ValueError:
            return await _respond(reader, writer, 400, "This is a proxy for http:// and https:// addresses.")
        except RefusedError as refused:
            self._note(str(refused))
            return await _respond(reader, writer, 403, f"Refused by the egress proxy: {refused}.")
        except (OSError, TimeoutError) as error:
            return await _respond(reader, writer, 502, f"The egress proxy cannot reach {_shown(host)}:{port}: {error}.")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream[1].write(first)
        try:
            await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))
        finally:
            upstream[1].close()
        return None

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=2, type=1)  # AF_INET, SOCK_STREAM
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        faults = {address: self._rules.fault_of(address, port) for address in addresses}
        if allowed := [address for address in addresses if faults[address] is None]:
            async with asyncio.timeout(HEAD_S):
                return await asyncio.open_connection(allowed[0], port, limit=PIECE_BYTES)
        closed = addresses[0]
        name = _shown(host) if host == closed else f"{_shown(host)} ({closed})"
        raise RefusedError(f"{name}, port {port}: {faults[closed]}")

    def _note(self, refusal: str) -> None:
        self._shown += 1
        if self._shown <= REFUSALS_SHOWN:
            print(f"{REFUSED}{refusal}", flush=True)


def parsed(head: bytes) -> tuple[str, str, int, bytes]:
    """Parses a request's head into (method, host, port, first bytes for the server). Raises ValueError."""
    line, *fields = head.decode("latin-1").split("\r\n")
    method, target, version = line.split(" ")
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        return method, _named(host), int(port), b""
    url = urlsplit(target)
    if url.scheme != "http" or not url.hostname:
        raise ValueError("not an http:// address")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    forwarded = [field for field in fields if field and not field.lower().startswith(("proxy-", "connection:"))]
    sent = "\r\n".join([f"{method} {path} {version}", *forwarded, "Connection: close", "", ""])
    return method, _named(url.hostname), url.port or 80, sent.encode("latin-1")


def _named(host: str) -> str:
    if not host or len(host) > 253 or not host.isascii() or any(letter in "[]:%/@" for letter in host):
        raise ValueError("neither a name nor an IPv4 address")
    return host


def _shown(host: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in host)


async def _respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, text: str) -> None:
    """Sends a response of the proxy itself. Reads the rest of the request, because closing early could destroy the
    response.
    """
    reason = text.encode("ascii", "replace").decode()
    body = f"{reason}\n".encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    writer.write_eof()
    async with asyncio.timeout(LINGER_S):
        while await reader.read(PIECE_BYTES):
            pass


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copies until one side ends. Each chunk has IDLE_S to arrive and as long to be delivered."""
    with contextlib.suppress(OSError, TimeoutError):
        while True:
            async with asyncio.timeout(IDLE_S):
                piece = await source.read(PIECE_BYTES)
                if not piece:
                    break
                target.write(piece)
                await target.drain()
    with contextlib.suppress(OSError, RuntimeError):
        target.write_eof()


def responds(address: str, table: Path = ARP_TABLE) -> bool:
    """Whether a machine on one of our networks has this IPv4 address. Raises OSError if that cannot be checked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", (address, 9))  # for any packet, the kernel asks by ARP who has the address
    asked, end = False, time.monotonic() + ARP_S
    while time.monotonic() < end:
        rows = [row.split() for row in table.read_text(encoding="ascii").splitlines()]
        flags = [int(row[2], 16) for row in rows if row[:1] == [address]]
        if any(flag & ARP_COMPLETE for flag in flags):
            return True
        asked = asked or bool(flags)
        time.sleep(ARP_POLL_S)
    if not asked:
        raise OSError(f"the kernel's neighbor table has no entry for {address}")
    return False


async def main(rules: Rules, time_s: float, port: int = PORT) -> None:
    """Serves for as long as a build may take, so that no proxy outlives a build that nobody watches."""
    server = await asyncio.start_server(EgressProxy(rules).serve, "0.0.0.0", port, limit=HEAD_BYTES)  # noqa: S104 - `peers`
    print(READY, flush=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(time_s), server:
            await server.serve_forever()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    first = str(next(ipaddress.IPv4Network(given["peers"]).hosts()))  # the host's address on a network where it has one
    if responds(first):
        sys.exit(f"{EXPOSED}{first}")
    lists = {name: tuple(given[name]) for name in ("host", "reach", "ports")}
    asyncio.run(main(Rules(given["peers"], **lists), given["time_s"]))
