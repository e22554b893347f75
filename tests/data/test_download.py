import fcntl
import hashlib
import socket
from pathlib import Path

import pytest
from tests.data.conftest import Server

from palio.core.errors import PalioError
from palio.data.download import SIZE_LIMIT_BYTES, cache_folder, fetch

CONTENT = hashlib.shake_256(b"archive").digest(1_000_000)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def get(server: Server, to: Path) -> Path:
    return fetch(server.url, to, md5=MD5, next_step="Ask somebody.")


def failure(server: Server, to: Path) -> tuple[str, str, int]:
    with pytest.raises(PalioError) as raised:
        get(server, to)
    return str(raised.value), raised.value.failure.next_step, raised.value.exit_code


def test_fetch_progress(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT
    told: list[tuple[int, int | None]] = []
    to = tmp_path / "cache" / "file"
    for _ in range(2):
        found = fetch(server.url, to, md5=MD5, next_step="", progress=lambda done, total: told.append((done, total)))
        assert found.read_bytes() == CONTENT
    assert server.requests == [None]
    assert told[-1] == (1_000_000, 1_000_000)
    assert [path.name for path in to.parent.iterdir()] == ["file"]


def test_fetch_resumes_after_disconnect(server: Server, tmp_path: Path) -> None:
    server.content, server.cuts_after = CONTENT, [300_000, 500_000]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=800000-"]


def test_fetch_resumes_earlier_part(server: Server, tmp_path: Path) -> None:
    server.content, server.cuts_after = CONTENT, [300_000, 0]
    message, next_step, code = failure(server, tmp_path / "file")
    assert message == (
        f"The archive of images could not be downloaded from {server.url}: "
        "the connection was lost; 293.0 KiB were saved and will be resumed."
    )
    assert (next_step, code) == ("Ask somebody.", 12)
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=300000-"]


def test_fetch_restarts_without_ranges(server: Server, tmp_path: Path) -> None:
    server.content, server.cuts_after, server.honours_range = CONTENT, [300_000], False
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-"]


def test_fetch_uses_a_part_that_is_complete(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == []


def test_fetch_removes_what_is_corrupt(server: Server, tmp_path: Path) -> None:
    server.content = b"<html>Please log in to this network</html>"
    assert failure(server, tmp_path / "file") == (
        f"The download from {server.url} is not what was expected: its MD5 is not {MD5}.",
        "Run the same command again; the broken file was removed.",
        12,
    )
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_fetch_corrupt_cached_file(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT
    (tmp_path / "file").write_bytes(b"corrupt")
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_fetch_server_error(server: Server, tmp_path: Path) -> None:
    server.status = 404
    message, _, _ = failure(server, tmp_path / "file")
    assert message == (
        f"The archive of images could not be downloaded from {server.url}: the server returned 404 Not Found."
    )


def test_fetch_endless_response(server: Server, tmp_path: Path) -> None:
    server.content, server.says_length = bytes(SIZE_LIMIT_BYTES + 1), False
    message, _, _ = failure(server, tmp_path / "file")
    assert message == f"The download from {server.url} is not what was expected: it is larger than 256.0 MiB."
    assert list(tmp_path.iterdir()) == []


def test_fetch_connection_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    message, _, code = failure(Server(url=f"http://127.0.0.1:{port}/x"), tmp_path / "file")
    assert message == (
        f"The archive of images could not be downloaded from http://127.0.0.1:{port}/x: connection refused."
    )
    assert code == 12


def test_fetch_takes_web_addresses_only(tmp_path: Path) -> None:
    message, _, code = failure(Server(url="file:///etc/passwd"), tmp_path / "file")
    assert (message, code) == ("file:///etc/passwd is not a web address.", 2)


def test_fetch_download_of_other_process(server: Server, tmp_path: Path) -> None:
    with (tmp_path / "file.part").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        message, next_step, _ = failure(server, tmp_path / "file")
    assert message.endswith(": another process is downloading it.")
    assert next_step == "Run the command again when that download has finished."


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "palio"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert cache_folder() == Path("/home/ada/.cache/palio")
