"""Nobody stops the site: neither connections that stall, nor files that cost their reader much."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import requests
from tests.bundles import YAML, write_bundle
from tests.web.serving.running import Running, environment, running
from tests.web.serving.test_upload_restart import SET_UP
from tests.web.tus import announcing, appending

from palio.web.serving.connections import HEADER_S, MOST_OF_ADDRESS, SLACK_S

LARGE_BYTES = 64_000_000
DOWNLOADS = "/api/v1/challenges/vowels/data/0"
SOON_S = 10.0  # what waits for a stalled connection waits for HEADER_S and more; benchmarks measure the rest


class Site:
    def __init__(self, server: Running, secret: str, organizer: str) -> None:
        self.server = server
        self.participant = {"Authorization": f"Bearer {secret}"}
        self.organizer = {"Authorization": f"Bearer {organizer}"}
        self.opened: list[socket.socket] = []

    def connect(self, sent: bytes) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        self.opened.append(made)
        made.sendall(sent.replace(b"HOST", b"127.0.0.1:%d" % self.server.port))
        return made

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def upload(self, content: bytes, name: str = "model.zip") -> tuple[int, bytes]:
        announced = self.participant | announcing(content, name)
        created = requests.post(
            f"{self.server.address}/api/v1/challenges/vowels/uploads", headers=announced, timeout=60
        )
        assert created.status_code == 201, created.content
        upload = created.headers["Location"]
        status, answer = self.ask("PATCH", upload, content, **self.participant, **appending(0))
        assert status == 204, answer
        headers = self.participant | {"Content-Type": "application/json"}
        return self.ask("POST", f"{upload}/complete", b"{}", **headers)

    def open_sockets(self) -> int:
        count = 0
        for process in self.server.tree():
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    count += str(descriptor.readlink()).startswith("socket:")
        return count

    @contextmanager
    def answers_meanwhile(self, paths: tuple[str, ...] = ("/", "/c/vowels/", "/health")) -> Iterator[None]:
        """Asked again and again by somebody else, each is answered soon."""
        slow, ended = list[tuple[str, float, int | Exception]](), threading.Event()

        def keep_asking() -> None:
            while not ended.is_set():
                for path in paths:
                    began = time.monotonic()
                    status: int | Exception
                    try:
                        status = self.ask("GET", path)[0]
                    except (OSError, HTTPException) as error:
                        status = error
                    if (took_s := time.monotonic() - began) > SOON_S or status != 200:
                        slow.append((path, took_s, status))
                time.sleep(0.1)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            yield
        finally:
            ended.set()
            asking.join()
        assert slow == []


ORGANIZER = """
ApiToken.objects.create(user=alice, name="o", scopes=["read", "organize"], secret_hash=hashed(other := new_secret()))
alice.is_staff = True
alice.save()
print(other)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    phase = "    tasks: [0]\n"
    offered = phase + "    public_data: public_data\n    starting_kit: kit.bin\n"
    bundle = write_bundle(folder / "vowels", yaml=YAML.replace(phase, offered))
    (bundle / "public_data").mkdir()
    for name in ("public_data/small.bin", "public_data/large.bin", "kit.bin"):
        (bundle / name).write_bytes(os.urandom(1000 if "small" in name else LARGE_BYTES))
    with running(folder / "data", "--pages-only", PALIO_WORKERS="1") as server:
        setting = environment(PALIO_DATA=str(server.data), DJANGO_SETTINGS_MODULE="palio.web.settings")
        command = [sys.executable, "-c", SET_UP + ORGANIZER, str(bundle)]
        made = subprocess.run(command, env=setting, capture_output=True, text=True, check=True)
        yield Site(server, *made.stdout.split())


@pytest.fixture(autouse=True)
def _all_are_closed(site: Site) -> Iterator[None]:
    yield
    for each in site.opened:
        each.close()
    site.opened.clear()


def test_stalled_clients_do_not_block(site: Site) -> None:
    before, allowed = site.open_sockets(), site.participant["Authorization"]
    with site.answers_meanwhile():
        for _ in range(100):
            site.connect(b"POST /accounts/login/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 999\r\n\r\nlogin=")
            site.connect(b"GET /c/vowels/ HTTP/1.1\r\nHost: HO")
        for kind in ["public-data", "starting-kit"] * 40:
            head = f"GET {DOWNLOADS}/{kind} HTTP/1.1\r\nHost: HOST\r\nAuthorization: {allowed}\r\n\r\n"
            site.connect(head.encode())
        assert site.upload(b"id,answer\n1,yes\n", "answers.csv")[0] == 200
        until = time.monotonic() + HEADER_S + SLACK_S + 30
        while site.open_sockets() > before + 5 and time.monotonic() < until:
            time.sleep(1)
        assert site.open_sockets() <= before + 5, "they are closed by the server"
    status, archive = site.ask("GET", f"{DOWNLOADS}/public-data", None, **site.participant)
    assert (status, len(archive) > LARGE_BYTES) == (200, True)


def test_slow_header_closed(site: Site) -> None:
    connection = site.connect(b"GET / HTTP/1.1\r\n")
    began = time.monotonic()
    with suppress(OSError):
        while time.monotonic() < began + HEADER_S + 20:
            connection.sendall(b"X-Y: z\r\n")
            time.sleep(0.5)
    assert HEADER_S - 2 < time.monotonic() - began < HEADER_S + 15


def test_connection_outlives_stopped_server(site: Site) -> None:
    connection = site.connect(b"GET /health HTTP/1.1\r\n")
    time.sleep(1.5)  # it has been read
    web = [process for process in site.server.tree() if process != site.server.process.pid]
    for process in web:
        os.kill(process, signal.SIGSTOP)
    time.sleep(HEADER_S + 3)
    for process in web:
        os.kill(process, signal.SIGCONT)
    time.sleep(1.5)  # it has looked at its connections
    connection.sendall(b"Host: 127.0.0.1:%d\r\n\r\n" % site.server.port)
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_header_in_too_many_pieces(site: Site) -> None:
    connection = site.connect(b"GET / HTTP/1.1\r\n")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with pytest.raises(OSError, match=r".*"):  # noqa: PT012
        for _ in range(2000):
            connection.sendall(b"X")
            time.sleep(0.002)


def test_excess_connections_close_idle(site: Site) -> None:
    silent = [site.connect(b"GET / HTTP/1.1\r\n") for _ in range(MOST_OF_ADDRESS + 50)]
    assert site.ask("GET", "/health")[0] == 200
    silent[0].settimeout(10)
    assert silent[0].recv(1) == b""
    silent[-1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        silent[-1].recv(1)


@pytest.mark.parametrize(
    "path", ["/api/v1/challenges", "/publish/", "/c/vowels/submit/", "/nothing/", "/accounts/login/"]
)
def test_large_body_of_stranger_refused_unread(site: Site, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3000000000\r\nContent-Type: application/zip\r\n\r\n"
    connection = site.connect(head.encode())
    answer = connection.recv(1000)
    assert answer.split()[1] in {b"401", b"302", b"404", b"403", b"400"}
    connection.sendall(b"x" * 1_000_000)  # it reads on for a while, so that the answer arrives


def test_body_without_length(site: Site) -> None:
    chunked = (
        b"POST /accounts/login/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nlogin\r\n0\r\n\r\n"
    )
    assert site.connect(chunked).recv(1000).startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET http://[ HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET //[::1/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1, 1\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nA\x00B: c\r\n\r\n",
        b"\x16\x03\x01 / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9\r\nHost: HOST\r\n\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /%ff%00%ed%a0%80 HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /?a=%ff%00 HTTP/1.1\r\nHost: HOST\r\nCookie: sessionid=\xff\xfe\r\nConnection: close\r\n\r\n",
        b"POST /c/vowels/submit/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ],
    ids=lambda sent: ascii(sent[:40]),
)
def test_odd_request(site: Site, sent: bytes) -> None:
    before = site.server.said
    status = site.connect(sent).recv(1000).split()[1]
    assert status[:1] in {b"2", b"3", b"4"}, status
    assert "Traceback" not in site.server.said.removeprefix(before)


def test_pipelined_requests_in_order(site: Site) -> None:
    connection = site.connect(
        b"GET /health HTTP/1.1\r\nHost: HOST\r\n\r\nHEAD / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
    )
    said = b""
    while block := connection.recv(10_000):
        said += block
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert said.endswith(b"\r\n\r\n"), "HEAD has no body"


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return made.getvalue()


STARS = b"*a*a*a*a*a*a*a*a*a*a*a*a*b"
SUBMISSIONS = {
    "pattern of COPY": zipped(Dockerfile=b"FROM python\nCOPY " + STARS + b" .\n", **{"a" * 250: b""}),
    "pattern of .dockerignore": zipped(Dockerfile=b"FROM python\n", __dockerignore=STARS, **{"a" * 250: b""}),
    "a Dockerfile of 360 MiB": zipped(Dockerfile=b"FROM python\n" + b"#" * 1024 * 1024 * 360),
    "100,000 entries": zipped(Dockerfile=b"FROM python\nCOPY a* .\n" * 200, **{f"a{n}": b"" for n in range(99_000)}),
}


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_expensive_submission_does_not_block(site: Site, name: str) -> None:
    said = list[tuple[int, bytes]]()
    several = [
        threading.Thread(target=lambda more=more: said.append(site.upload(SUBMISSIONS[name] + more)))
        for more in (b"1", b"2")
    ]
    with site.answers_meanwhile():
        for each in several:
            each.start()
        for each in several:
            each.join()
    assert len(said) == 2
    assert {status for status, _ in said} <= {200, 422, 503}
    assert not [answer for _, answer in said if str(site.server.data).encode() in answer]


def bundle(change: Callable[[Path], object], folder: Path) -> bytes:
    change(write_bundle(folder / "hostile"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "hostile").rglob("*")):
            archive.write(path, path.relative_to(folder / "hostile"))
    return made.getvalue()


def _in(file: str, text: str, *, after: bool = True) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(((folder / file).read_text() if after else "") + text)


ALIASES = "x0: &x0 [a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{n}: &x{n} [{f'*x{n - 1}, ' * 9}]\n" for n in range(1, 12)
)
BUNDLES = {
    "YAML of aliases": _in("competition.yaml", "\n" + ALIASES),
    "YAML nested deeply": _in("competition.yaml", "\nextra: " + "[" * 50_000),
    "YAML of a huge number": _in("competition.yaml", "\nextra: " + "9" * 1_000_000),
    "Markdown of brackets": _in("overview.md", "[" * 300_000 + "a" + "](" * 300_000),
    "Markdown of emphasis": _in("overview.md", "*a_ " * 200_000),
    "Markdown of links": _in("overview.md", "[a](<b" * 100_000),
    "Markdown of quotes": _in("overview.md", "> " * 100_000),
    "HTML of open tags": _in("overview.md", "\n\n" + "<div><table><a>" * 100_000),
    "a page of 300 MiB": _in("overview.md", "a " * 157_286_400),
    "terms of backticks": _in("terms.md", "".join("`" * n + "a" for n in range(1, 2000)), after=False),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_expensive_bundle_does_not_block(site: Site, tmp_path: Path, name: str) -> None:
    content = bundle(BUNDLES[name], tmp_path)
    with site.answers_meanwhile():
        status, said = site.ask(
            "POST", "/api/v1/challenges?slug=hostile", content, **{"Content-Type": "application/zip"}, **site.organizer
        )
    assert status in (200, 201, 422), said
    assert str(site.server.data).encode() not in said
    if status == 201:
        with site.answers_meanwhile(("/", "/c/hostile/", "/c/hostile/terms/")):
            time.sleep(1)
