"""A Git repository behind a server of this process, for tests of submissions from a tag."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
from tests.conftest import lacking
from tests.registry import QuietServer

BACKEND = Path("/usr/lib/git-core/git-http-backend")
_AUTHOR = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


@dataclass
class Repository:
    """A repository behind a server of this process. `work` is its work tree."""

    url: str
    work: Path

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.work), "GIT_CONFIG_NOSYSTEM": "1", **_AUTHOR}
        command = ["git", "-C", str(self.work), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, bytes], tag: str) -> str:
        """Commits exactly these files under a tag, and returns the commit's id."""
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", "--force", tag)
        return self.git("rev-parse", "HEAD")


@contextmanager
def git_repository(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """An empty repository in `folder`, on a server that submissions may come from. Skips the test without Git's."""
    if not BACKEND.exists():
        lacking("there is no git-http-backend (Debian: git)")
    work = folder / "repositories" / "model"
    work.mkdir(parents=True)
    with _server(work.parent) as host:
        found = Repository(f"http://{host}/model/.git", work)
        found.git("init", "--quiet", "--initial-branch=main")
        patch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{host}")
        yield found


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Git's own program for servers, behind a small HTTP server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._run(b"")

        def do_POST(self) -> None:
            self._run(self.rfile.read(int(self.headers["Content-Length"])))

        def _run(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
            }
            said = subprocess.run([BACKEND], env=environment, input=body, stdout=subprocess.PIPE).stdout
            head, _, content = said.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Silent."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
