"""Odd values in forms, JSON, headers and file names end as a sentence for whoever sent them, never as HTTP 500."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable

import pytest
from django.http import HttpResponseBase
from django.test import Client
from tests.web.tus import CHUNK_TYPE, announcing, appending
from tests.web.world import World

Browser = Callable[..., Client]

ODD = ["\ud800", "a\0b", "\udcff.zip", "\x1b[2J", "a\nb", "\u202e", "x" * 5000, "\U0001f600" * 300, "..", "/", "\\"]


def asked(client: Client, path: str, body: bytes | str, method: str = "post") -> HttpResponseBase:
    client.raise_request_exception = False
    send = getattr(client, method)
    answer: HttpResponseBase = send(path, body, content_type="application/json")
    return answer


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_odd_strings_in_json(world: World, browser: Browser, odd: str) -> None:
    bob, alice, ada = browser(world.bob), browser(world.alice), browser(world.ada)
    api = "/api/v1"
    bodies: list[tuple[Client, str, dict[str, object], str]] = [
        (bob, f"{api}/challenges/mednist/submit", {"file": odd, "phase": odd, "note": odd}, "post"),
        (bob, f"{api}/tokens", {"name": odd, "scopes": ["read"]}, "post"),
        (bob, f"{api}/tokens", {"name": "a", "scopes": [odd]}, "post"),
        (bob, f"{api}/teams/{world.team.pk}", {"name": odd}, "patch"),
        (alice, f"{api}/challenges/mednist/manage/announcements", {"title": odd, "text": odd}, "post"),
        (alice, f"{api}/challenges/mednist", {"joining": odd}, "patch"),
        (ada, f"{api}/invitations", {"note": odd, "email": odd}, "post"),
    ]
    found = {}
    for client, path, body, method in bodies:
        answer = asked(client, path, json.dumps(body), method)
        found[f"{path} {list(body)}"] = answer.status_code
    assert {path: status for path, status in found.items() if status >= 500} == {}


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("key", ["filename", "sha256", "phase"])
def test_odd_strings_in_metadata(world: World, browser: Browser, key: str, odd: str) -> None:
    bob = browser(world.bob)
    bob.raise_request_exception = False
    answer = bob.post("/api/v1/challenges/mednist/uploads", headers=announcing(b"12345", metadata={key: odd}))
    assert answer.status_code < 500


@pytest.mark.parametrize(
    "header",
    [
        {"Upload-Length": "9" * 5000},
        {"Upload-Length": "-1"},
        {"Upload-Length": "1e3"},
        {"Upload-Metadata": "filename ****"},
        {"Upload-Metadata": "filename /w=="},  # no UTF-8
        {"Upload-Metadata": "sha256"},
        {"Upload-Metadata": ",,,"},
        {"Tus-Resumable": "0.2.2"},
        {"Tus-Resumable": ""},
    ],
    ids=ascii,
)
def test_odd_headers_of_an_upload(world: World, browser: Browser, header: dict[str, str]) -> None:
    bob = browser(world.bob)
    bob.raise_request_exception = False
    answer = bob.post("/api/v1/challenges/mednist/uploads", headers=announcing(b"12345") | header)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"file": "a", "note": ' + b"9" * 10_000 + b"}",
        b'{"file": "a", "note": 1e999}',
        b'{"file": "a", "note": NaN}',
        b"\xff\xfe",
        b"",
        b"null",
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_odd_json(world: World, browser: Browser, body: bytes) -> None:
    answer = asked(browser(world.bob), "/api/v1/challenges/mednist/submit", body)
    assert 400 <= answer.status_code < 500


def multipart(name: bytes, more: bytes = b"", content: bytes = b"PK", field: bytes = b"file") -> bytes:
    head = b'Content-Disposition: form-data; name="' + field + b'"; filename' + name + b"\r\n" + more
    return b"--b\r\n" + head + b"\r\n" + content + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        multipart(b'="\xff\xfe\x00.zip"'),
        multipart(b'="a\x00b.zip"'),
        multipart(b"*=utf-8''%ed%a0%80.zip"),
        multipart(b"*=no-such-encoding''x.zip"),
        multipart(b"*=utf-16''%ff%fe%00.zip"),
        multipart(b"*=utf-7''+2AA-.zip"),
        multipart(b"*=rot13''x.zip"),
        multipart(b"*=idna''x" + b"." * 300),
        multipart(b"*=unicode_escape''%5Cud800%5Cx00.zip"),
        multipart(b'=""'),
        multipart(b'="' + b"a" * 10_000 + b'"'),
        multipart(b'="a.zip"', b"Content-Type: text/plain; charset=no-such\r\n"),
        multipart(b'="a.zip"', b"Content-Transfer-Encoding: base64\r\n", b"****"),
        multipart(b'="a.zip"', b"Content-Transfer-Encoding: base64\r\n", b"A" * 5),
        multipart(b'="/etc/passwd"'),
        b"--b\r\n\r\n--b--",
        b"",
    ],
    ids=lambda body: ascii(body[38:90]),
)
@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=b", "multipart/form-data", "multipart/form-data; boundary=\xff"]
)
def test_odd_files_in_forms(world: World, browser: Browser, body: bytes, kind: str) -> None:
    client = browser(world.bob)
    client.raise_request_exception = False
    for path in ("/c/mednist/submit/", "/c/mednist/submit/file/", "/accounts/login/"):
        assert client.post(path, body, content_type=kind).status_code < 500
    olga = browser(world.ada)
    olga.raise_request_exception = False
    assert olga.post("/publish/", body, content_type=kind).status_code < 500


def context(dockerfile: bytes, **more: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dockerfile", dockerfile)
        for name, content in more.items():
            archive.writestr(name.replace("_", "."), content)
    return made.getvalue()


LETTERS = {"a" * 250: b""}
CONTEXTS = {
    "nested json": context(b"FROM python:3.11-slim\nCMD " + b"[" * 100_000),
    "empty env": context(b"FROM python:3.11-slim\nENV\nENV =x\nCMD []"),
    "brackets": context(b'FROM python:3.11-slim\nCOPY [[[[[ .\nCOPY ["a" .\n'),
    "no utf-8": context(b"FROM python:3.11-slim\nENV A=\xff\xfe\n"),
    "surrogates": context(b'FROM python:3.11-slim\nCMD ["\\ud800"]\nCOPY ["\\ud800", "."]\n'),
    "nul": context(b"FROM python:3.11-slim\nENV A=\x00\nWORKDIR /\x00\n"),
    "stars in copy": context(b"FROM python:3.11-slim\nCOPY *a*a*a*a*a*a*a*a*a*b .\n", **LETTERS),
    "stars in dockerignore": context(b"FROM python:3.11-slim\n", _dockerignore=b"*a*a*a*a*a*a*a*a*a*b", **LETTERS),
    "classes": context(b"FROM python:3.11-slim\nCOPY [z-a] .\nCOPY [[:foo:]] .\n"),
    "large dockerfile": context(b"FROM python:3.11-slim\n" + b"ENV A=b\n" * 5_000_000),
    "unclosed quotes": context(b'FROM python:3.11-slim\nENV A="' + b'\\"' * 100_000),
    "variables": context(b"FROM python:3.11-slim\nENV A=${" + b"A:-${" * 20_000),
    "broken": context(b"FROM x")[:-30],
    "no zip": b"PK\x03\x04" + b"\xff" * 1000,
    "gzip bomb": gzip.compress(b"\0" * 200_000_000),
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_odd_submissions(world: World, browser: Browser, name: str) -> None:
    bob = browser(world.bob)
    content = CONTEXTS[name]
    upload = bob.post("/api/v1/challenges/mednist/uploads", headers=announcing(content)).headers["Location"]
    assert bob.patch(upload, content, CHUNK_TYPE, headers=appending(0)).status_code == 204
    answer = asked(bob, f"{upload}/complete", "{}")
    assert answer.status_code in (200, 422), answer.content  # type: ignore[attr-defined]
    assert b"/tmp" not in answer.content  # type: ignore[attr-defined]
