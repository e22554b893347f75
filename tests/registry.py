"""A registry in this process, for tests of references: small, and wrong wherever a test wants it wrong."""

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.images import config, sha256

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TOKEN = "token-for-tests"  # noqa: S105 - protects nothing


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content)}"


@dataclass
class FakeRegistry:
    """`documents` and `blobs` by digest, `tags` to digests. `asked` are the requests: path and authorization.

    `account` is required if set; `statuses` answer paths that end like this with a status; `tampered` are digests whose
    content is sent with another byte.
    """

    host: str = ""
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    account: tuple[str, str] | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    tampered: set[str] = field(default_factory=set)
    redirects: dict[str, str] = field(default_factory=dict)
    realm: str = ""

    def blob(self, content: bytes) -> dict[str, object]:
        self.blobs[digest(content)] = content
        return {"mediaType": "application/octet-stream", "digest": digest(content), "size": len(content)}

    def document(self, media_type: str, content: object, tag: str = "") -> str:
        data = json.dumps(content).encode()
        self.documents[digest(data)] = (media_type, data)
        if tag:
            self.tags[tag] = digest(data)
        return digest(data)

    def image(
        self,
        layers: Sequence[bytes],
        tag: str = "",
        platform: str = "linux/amd64",
        command: Sequence[str] = ("python", "predict.py"),
        **settings: object,
    ) -> str:
        """Adds an image; returns the digest of its manifest."""
        settings = {"Cmd": list(command), **settings} if command else settings
        described = self.blob(config(layers, platform, **settings))
        packed = [
            self.blob(gzip.compress(layer, mtime=0)) | {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
            for layer in layers
        ]
        content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": packed}
        return self.document(MANIFEST, content, tag)

    def index(self, images: dict[str, str], tag: str = "") -> str:
        """Adds an index of manifests by platform; returns its digest."""
        entries = []
        for platform, manifest in images.items():
            os, _, architecture = platform.partition("/")
            size = len(self.documents[manifest][1])
            described = {"os": os, "architecture": architecture}
            entries.append({"mediaType": MANIFEST, "digest": manifest, "size": size, "platform": described})
        return self.document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, tag)


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    registry = FakeRegistry()
    server = QuietServer(("127.0.0.1", 0), _handler(registry))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    registry.host = f"127.0.0.1:{server.server_port}"
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that stops reading is what some tests want."""


def _handler(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, authorization = self.path, self.headers.get("Authorization", "")
            registry.asked.append((path, authorization))
            for end, status in registry.statuses.items():
                if path.endswith(end):
                    return self._send(status, "text/plain", b"as the test wants it")
            for end, target in registry.redirects.items():
                if path.endswith(end):
                    return self._send(307, "text/plain", b"", {"Location": target})
            if path.startswith("/token"):
                return self._token(authorization)
            if registry.account is not None and authorization != f"Bearer {TOKEN}":
                realm = registry.realm or f"http://{registry.host}/token"
                challenge = f'Bearer realm="{realm}",service="tests",scope="repository:lab/model:pull"'
                return self._send(401, "application/json", b"{}", {"WWW-Authenticate": challenge})
            return self._content(path)

        def _token(self, authorization: str) -> None:
            assert registry.account is not None
            expected = base64.b64encode(":".join(registry.account).encode()).decode()
            if authorization != f"Basic {expected}":
                return self._send(401, "application/json", b"{}")
            return self._send(200, "application/json", json.dumps({"token": TOKEN}).encode())

        def _content(self, path: str) -> None:
            kind, name = path.rsplit("/", 2)[1:]
            if kind == "manifests":
                media_type, content = registry.documents.get(registry.tags.get(name, name), ("", b""))
            else:
                media_type, content = "application/octet-stream", registry.blobs.get(name, b"")
            if not content:
                return self._send(404, "application/json", b"{}")
            return self._send(200, media_type, content[:-1] + b"!" if name in registry.tampered else content)

        def _send(self, status: int, media_type: str, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": media_type, **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Silent."""

    return Handler
