"""A small API server on this machine: replies as told, and records what was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: Any = None


@dataclass(frozen=True)
class Reply:
    """`lines` are sent one by one, as a watch or log does; `pause` runs before each."""

    status: int = 200
    content: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    lines: tuple[bytes, ...] | None = None
    pause: Callable[[], object] = lambda: None


def refusal(status: int, message: str, **more: Any) -> Reply:
    content = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status, **more}
    return Reply(status, content)


@dataclass
class FakeApi:
    """`answer` is called for each request, in the server's threads."""

    answer: Callable[[Asked], Reply]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def kubeconfig(self, folder: Path, *, url: str = "") -> Path:
        path = folder / "kubeconfig"
        cluster, user = {"server": url or self.url}, {"token": "secret-token"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
            "current-context": "fake",
        }
        path.write_text(yaml.safe_dump(content))
        return path


@contextmanager
def serving(answer: Callable[[Asked], Reply]) -> Iterator[FakeApi]:
    api = FakeApi(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            split = urlsplit(self.path)
            asked = Asked(
                self.command,
                split.path,
                dict(parse_qsl(split.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(body) if body else None,
            )
            api.asked.append(asked)
            self._send(api.answer(asked))

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def _send(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Date" not in reply.headers:
                self.send_header("Date", self.date_time_string())
            if reply.lines is not None:
                self.send_header("Connection", "close")
                self.end_headers()
                for line in reply.lines:
                    reply.pause()
                    self.wfile.write(line)
                    self.wfile.flush()
                self.close_connection = True
                return
            data = reply.raw if reply.raw is not None else json.dumps(reply.content or {}).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
