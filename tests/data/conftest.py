"""A web server on this machine that serves one file, well or badly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest


@dataclass
class Server:
    """Serves `content` at `url`. `requests` are the Range headers it was sent, None for none."""

    content: bytes = b""
    honours_range: bool = True
    cuts_after: list[int] = field(default_factory=list)  # bytes after which the next connections are cut
    status: int | None = None  # answers this and nothing else
    says_length: bool = True
    url: str = ""
    requests: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            server.requests.append(asked)
            if server.status:
                self.send_error(server.status)
                return
            match = re.fullmatch(r"bytes=(\d+)-", asked or "")
            start = int(match[1]) if match and server.honours_range else 0
            body = server.content[start:]
            self.send_response(206 if start else 200)
            if server.says_length:
                self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
            self.end_headers()
            self.wfile.write(body[: server.cuts_after.pop(0)] if server.cuts_after else body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{listening.server_address[1]}/MedNIST.tar.gz"
        yield server
        listening.shutdown()
        thread.join()
