"""Which URLs the platform connects to because somebody typed them: only public addresses, in whatever way written."""

import socket
import time
from typing import Any

import pytest

from palio.web.http import public_address
from palio.web.http.public_address import Target, UnfitAddressError, is_public, public_addresses, read_url

PRIVATE = [
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "0.0.0.0", "::1", "::", "fe80::1", "fe80::1%2",  # noqa: S104
    "fc00::1", "fd12::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "2002:7f00:1::", "2001:0:4136:e378::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_address_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_address_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0", "::1"]
)
def test_host_of_this_machine_refused(host: str) -> None:
    with pytest.raises(UnfitAddressError):
        public_addresses(host, 443)


def test_name_with_any_private_address_refused() -> None:
    with pytest.raises(UnfitAddressError, match="private, local or reserved"):
        public_addresses("mixed.example", 443, lambda *_: ["8.8.8.8", "10.0.0.1"])


def test_name_with_public_addresses() -> None:
    found = public_addresses("dns.example", 443, lambda *_: ["8.8.8.8", "8.8.4.4", "8.8.8.8"])
    assert found == ["8.8.8.8", "8.8.4.4"]


def test_slow_or_unknown_name_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_address, "RESOLVE_S", 0.05)
    for answer in (_wait, _raise):
        with pytest.raises(UnfitAddressError, match="cannot be resolved"):
            public_addresses("slow.example", 443, answer)


def _wait(*_: Any, **__: Any) -> list[Any]:
    time.sleep(1)
    return []


def _raise(*_: Any, **__: Any) -> list[str]:
    raise socket.gaierror


def test_url_read() -> None:
    assert read_url("https://ci.example.org/palio?x=1") == Target("https", "ci.example.org", 443, "/palio?x=1")
    assert read_url("https://ci.example.org:8443") == Target("https", "ci.example.org", 8443, "/")
    assert read_url("http://ci.example.org/", allow_http=True) == Target("http", "ci.example.org", 80, "/")
    assert read_url("https://[2606:4700::1111]/").host == "2606:4700::1111"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://ci.example.org/", "must start with https://"),
        ("file:///etc/passwd", "must start with https://"),
        ("gopher://ci.example.org/", "must start with https://"),
        ("https://user:pw@ci.example.org/", "user name or password"),
        ("https://ci.example.org@127.0.0.1/", "user name or password"),
        ("https:///x", "no host name"),
        ("https://ci.example.org:0/", "invalid port"),
        ("https://ci.example.org:99999/", "not a valid URL"),
        ("https://[::1/", "not a valid URL"),
        ("https://ci.example.org/#x", "fragment"),
        ("https://ci.example.org/\r\nX: y", "printable"),
        ("https://ci.example.org\\@127.0.0.1/", "printable"),
        ("https://bücher.example/", "printable"),
        ("https://ci.example.org/" + "x" * 500, "at most 500"),
        ("", "must start with https://"),
    ],
)
def test_url_refused(url: str, why: str) -> None:
    with pytest.raises(UnfitAddressError, match=why):
        read_url(url)
