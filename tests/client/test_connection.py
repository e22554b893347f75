"""What the command line makes of a platform's answers, and of a network that drops them."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from palio.client import uploading
from palio.client.connection import Connection
from palio.client.uploading import Chunk, upload_file
from palio.core.errors import PalioError

SOON = (0.01, 0.01, 0.01)
DROP = "drop"  # the connection, without an answer


@dataclass
class Server:
    """Answers with what the test has planned, then with the last of it again; notes what it was asked."""

    plan: list[Any] = field(default_factory=list)  # DROP, (status, JSON) or (status, JSON, headers)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self) -> Any:
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.asked.append((self.command, self.path, dict(self.headers), body))
            planned = made.answer()
            if planned == DROP:
                self.close_connection = True
                return
            status, content, *rest = planned
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in (rest[0] if rest else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_HEAD = do_PATCH = _any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        made.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield made
        listening.shutdown()
        thread.join()


def body(code: str, responsible: str = "participant") -> dict[str, Any]:
    return {"code": code, "responsible": responsible, "message": "M.", "next_step": "N.", "evidence": []}


def refused(ask: Callable[[], object]) -> PalioError:
    with pytest.raises(PalioError) as error:
        ask()
    return error.value


def test_refusal_of_platform(server: Server) -> None:
    said = body("phase-closed", "participant") | {"evidence": ["a line"]}
    server.plan = [(409, said)]
    error = refused(lambda: Connection(server.url, "t").get("/x"))
    failure = error.failure
    assert (failure.code, failure.message, failure.next_step, failure.evidence, error.exit_code) == (
        "phase-closed",
        "M.",
        "N.",
        ("a line",),
        10,
    )
    assert server.asked[0][2]["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("status", "responsible", "exit_code"),
    [(409, "usage", 2), (409, "participant", 10), (409, "organizer", 11), (409, "platform", 12)],
)
def test_responsible_party_of_platform(server: Server, status: int, responsible: str, exit_code: int) -> None:
    server.plan = [(status, body("anything", responsible))]
    assert refused(lambda: Connection(server.url).get("/x")).exit_code == exit_code


@pytest.mark.parametrize("first", [DROP, (503, b"starting"), (502, b""), (429, {}, {"Retry-After": "0"})])
def test_safe_request_retried(server: Server, first: Any) -> None:
    server.plan = [first, first, (200, {"a": 1})]
    assert Connection(server.url, pauses_s=SOON).get("/x") == {"a": 1}
    assert len(server.asked) == 3


def test_creation_retried_only_with_key(server: Server) -> None:
    server.plan = [DROP, (201, {})]
    Connection(server.url, pauses_s=SOON).post("/x", {"a": 1}, key="k")
    assert [(headers["Idempotency-Key"], body) for _, _, headers, body in server.asked] == [("k", b'{"a": 1}')] * 2
    server.plan = [DROP, (201, {})]
    error = refused(lambda: Connection(server.url, pauses_s=SOON).post("/x", {"a": 1}))
    assert error.failure.code == "server-unreachable"


def test_upload_check_waited_for(server: Server) -> None:
    server.plan = [(423, body("upload-locked")), (200, {"id": "f"})]
    assert Connection(server.url, pauses_s=SOON).post("/x", again=True) == {"id": "f"}


def test_connection_refused(server: Server) -> None:
    error = refused(lambda: Connection("http://127.0.0.1:9", pauses_s=()).get("/x"))
    assert (error.code, error.exit_code) == ("server-unreachable", 12)
    assert "nothing is listening there" in error.failure.message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, b"<html>"), "its response is not JSON"),
        ((404, b"<html>"), "status 404"),
        ((502, b"<html>Bad Gateway"), "status 502"),
        ((409, {"code": "x", "message": "M.", "next_step": "N.", "evidence": []}), "status 409"),
        ((302, b"", {"Location": "https://x.org/login"}), "https://x.org/login"),
    ],
)
def test_response_not_of_palio(server: Server, answer: Any, reason: str) -> None:
    server.plan = [answer]
    error = refused(lambda: Connection(server.url, pauses_s=()).get("/x"))
    assert error.failure.code == "server-unreadable"
    assert reason in error.failure.message


def test_list_all_pages(server: Server) -> None:
    server.plan = [
        (200, {"items": [1, 2], "count": 3, "limit": 2, "offset": 0}),
        (200, {"items": [3], "count": 3, "limit": 2, "offset": 2}),
    ]
    assert list(Connection(server.url).all_of("/x", phase="a b")) == [1, 2, 3]
    assert [path for _, path, _, _ in server.asked] == [
        "/api/v1/x?phase=a+b&limit=100&offset=0",
        "/api/v1/x?phase=a+b&limit=100&offset=2",
    ]


def test_chunk_resent(server: Server) -> None:
    read = list[int]()
    chunk = Chunk(b"23456", read.append)
    server.plan = [DROP, (204, b"", {"Upload-Offset": "7"})]
    answer = Connection(server.url, pauses_s=SOON).exchange("PATCH", "/x", chunk.headers(2), chunk)
    assert answer["Upload-Offset"] == "7"
    assert [(headers["Upload-Offset"], body) for _, _, headers, body in server.asked] == [("2", b"23456")] * 2
    assert read == [5, 5]


def test_upload_resumes_at_offset(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a chunk that arrived in part, and after one that was damaged."""
    monkeypatch.setattr(uploading, "CHUNK_BYTES", 4)
    path = tmp_path / "f.zip"
    path.write_bytes(b"0123456789")
    server.plan = [
        (201, b"", {"Location": "/api/v1/uploads/u"}),
        (200, b"", {"Upload-Offset": "2"}),
        (409, body("offset-differs")),
        (200, b"", {"Upload-Offset": "3"}),
        (460, body("checksum-differs")),
        (200, b"", {"Upload-Offset": "3"}),
        (204, b"", {"Upload-Offset": "7"}),
        (204, b"", {"Upload-Offset": "10"}),
        (200, {"id": "f"}),
    ]
    shown = list[tuple[int, int]]()
    kept = upload_file(Connection(server.url), "c", path, progress=lambda *each: shown.append(each))
    assert kept == {"id": "f"}
    assert [(method, headers.get("Upload-Offset"), body) for method, _, headers, body in server.asked][2:] == [
        ("PATCH", "2", b"2345"),
        ("HEAD", None, b""),
        ("PATCH", "3", b"3456"),
        ("HEAD", None, b""),
        ("PATCH", "3", b"3456"),
        ("PATCH", "7", b"789"),
        ("POST", None, b'{"kind": null, "phase": null}'),
    ]
    assert shown[-1] == (10, 10)


def test_upload_known_file_sends_nothing(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "f.zip"
    path.write_bytes(b"0123456789")
    server.plan = [
        (201, b"", {"Location": f"{server.url}/api/v1/uploads/u"}),
        (200, b"", {"Upload-Offset": "10"}),
        (200, {"id": "f"}),
    ]
    upload_file(Connection(server.url), "c", path)
    assert [(method, asked) for method, asked, *_ in server.asked] == [
        ("POST", "/api/v1/challenges/c/uploads"),
        ("HEAD", "/api/v1/uploads/u"),
        ("POST", "/api/v1/uploads/u/complete"),
    ]
