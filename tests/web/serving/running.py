"""A platform that runs as it does for its operator: started by `palio serve`, on a port and data folder of its own."""

import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.web.postgresql import database_for

SQLITE_ONLY = pytest.mark.skipif("DATABASE_URL" in os.environ, reason="about SQLite, and not about PostgreSQL")
START_S = 60.0  # generous, as tests share the machine; how long it takes is measured in benchmarks/serving.py


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def environment(data: Path | None = None, /, **more: str) -> dict[str, str]:
    """This one, without settings of a platform. Where tests run on PostgreSQL, a data folder has a database there."""
    others = ("PALIO_", "DJANGO_ALLOW_ASYNC_UNSAFE", "DATABASE_URL")  # the second is a browser test's
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    data = data or (Path(more["PALIO_DATA"]) if "PALIO_DATA" in more else None)
    if data is not None and "DATABASE_URL" in os.environ and "DATABASE_URL" not in more:
        kept["DATABASE_URL"] = database_for(os.environ["DATABASE_URL"], data)
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"} | more


def palio(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    words = [*map(str, arguments)]
    command = [sys.executable, "-m", "palio", *words]
    data = Path(words[words.index("--data") + 1]) if "--data" in words else None
    return subprocess.run(
        command, env=environment(data, **more), capture_output=True, text=True, timeout=120, check=False
    )


class Running:
    """`said` is what it has printed so far; `process` is the supervisor."""

    def __init__(self, data: Path, *arguments: object, command: str = "serve", **more: str) -> None:
        self.data = data
        self.port = free_port()
        self._headers = {"Host": more["PALIO_URL"].partition("//")[2]} if "PALIO_URL" in more else {}
        self._printed = data.with_name(f"{data.name}-{self.port}.log")
        port = ["--port", str(self.port)] if command == "serve" else []
        with self._printed.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "palio", command, "--data", str(data), *port, *map(str, arguments)],
                env=environment(data, **more),
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._printed.read_text()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        """Status, and the page or where it leads."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=self._headers | headers)
            answer = connection.getresponse()
            return answer.status, answer.headers["Location"] or answer.read().decode()
        finally:
            connection.close()

    def health(self) -> dict[str, str] | None:
        try:
            status, text = self.ask("/health")
        except OSError:
            return None
        return dict(json.loads(text)) if status == 200 else None

    def wait_for(self, what: str, found: "object") -> None:
        until = time.monotonic() + START_S
        while not found():  # type: ignore[operator]
            assert self.process.poll() is None, f"it ended while it was waited for: {what}\n{self.said}"
            assert time.monotonic() < until, f"not within {START_S:g} s: {what}\n{self.said}"
            time.sleep(0.05)

    def wait_until_up(self) -> None:
        self.wait_for("an answer", lambda: self.health() is not None)

    def link(self) -> str | None:
        self.wait_for("the line after the link", lambda: re.search(r"engine  +\S", self.said))
        found = re.search(r"http\S+/accounts/password/reset/key/\S+", self.said)
        return found[0] if found else None

    def tree(self) -> dict[int, int]:
        """All its processes, each with its parent."""
        return tree(self.process.pid)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(data: Path, *arguments: object, command: str = "serve", **more: str) -> Iterator[Running]:
    """One that answers; whatever is left of it afterwards is killed."""
    started = Running(data, *arguments, command=command, **more)
    family: set[int] = set()
    try:
        if command == "serve":
            started.wait_until_up()
        yield started
        family = set(started.tree())
        if started.process.poll() is None:
            started.end()
    finally:
        for process in family | {started.process.pid}:
            if is_running(process) and process != os.getpid():
                os.kill(process, signal.SIGKILL)
        started.process.wait(10)


def tree(root: int) -> dict[int, int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    found = {root: parents[root]} if root in parents else {}
    for process in (waiting := list(found)):
        children = {child: parent for child, parent in parents.items() if parent == process}
        found |= children
        waiting += children
    return found


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Browser:
    """Keeps cookies, follows redirects, and fills in the forms that it is shown."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )

    def get(self, address: str) -> tuple[str, str]:
        """Where it ended, and the page."""
        with self._opener.open(address, timeout=20) as answer:
            return answer.geturl(), answer.read().decode()

    def post(self, address: str, page: str, **fields: str) -> tuple[str, str]:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        form = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token[1]}).encode()
        request = urllib.request.Request(address, form, {"Referer": address})  # noqa: S310 - our own
        with self._opener.open(request, timeout=20) as answer:
            return answer.geturl(), answer.read().decode()
