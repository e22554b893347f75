"""Addresses on the Internet that the platform may connect to because somebody typed a URL (against SSRF).

Covers: private, loopback, link-local, shared, reserved and multicast addresses of IPv4 and IPv6, also written as
numbers or embedded in IPv6 (mapped, 6to4, Teredo, NAT64), names with any such address, and names that change their
address between the check and the connection, because callers connect to what was checked (DNS rebinding).
Not covered: services that the operator runs at public addresses.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

URL_CHARACTERS = 500
RESOLVE_S = 5.0
LookUp: TypeAlias = Callable[[str, int], Sequence[str]]
_TRANSLATED = tuple(ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


class UnfitAddressError(ValueError):
    """The message is what is wrong, to be continued after the URL."""


@dataclass(frozen=True)
class Target:
    scheme: str
    host: str  # as in the URL, without brackets
    port: int
    path: str  # with the query


def read_url(url: str, *, allow_http: bool = False) -> Target:
    """Raises UnfitAddressError."""
    schemes = ("https", "http") if allow_http else ("https",)
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > URL_CHARACTERS:
        raise UnfitAddressError(f"must be at most {URL_CHARACTERS} printable ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnfitAddressError("is not a valid URL") from error
    if parts.scheme not in schemes:
        raise UnfitAddressError(f"must start with {' or '.join(f'{each}://' for each in schemes)}")
    if not parts.hostname or port == 0:
        raise UnfitAddressError("has no host name or an invalid port")
    if parts.username is not None or parts.password is not None:
        raise UnfitAddressError("must not contain a user name or password")
    if parts.fragment:
        raise UnfitAddressError("must not have a fragment (#)")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver. Raises OSError or UnicodeError if it has none."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in answers]


def public_addresses(host: str, port: int, look_up: LookUp = system_addresses) -> list[str]:
    """The addresses of a host, resolved once. Raises UnfitAddressError if it has none, or one that is not public."""
    found = _resolve(host, port, look_up)
    for address in found:
        if not is_public(address):
            raise UnfitAddressError("has a private, local or reserved address, where the platform does not connect to")
    return found


def is_public(address: str) -> bool:
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found.is_site_local or any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def _resolve(host: str, port: int, look_up: LookUp) -> list[str]:
    """In a thread, because the system's resolver has no time limit of its own."""
    found: list[str] = []

    def ask() -> None:
        try:
            answers = look_up(host, port)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(answers))

    asking = threading.Thread(target=ask, name="palio-resolve", daemon=True)
    asking.start()
    asking.join(RESOLVE_S)
    if asking.is_alive() or not found:
        raise UnfitAddressError("has a host name that cannot be resolved")
    return found
