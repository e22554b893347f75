"""Uploads a file to a platform by the tus protocol, in chunks; bytes that have arrived are not sent again.

After an interruption, the same call resumes: the platform knows the file by its digest.
"""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from palio.client.connection import Connection
from palio.core.errors import PalioError
from palio.core.files.digest import measure
from palio.core.files.staging import reading
from palio.core.quantities import MIB

CHUNK_BYTES = 16 * MIB
_TUS = {"Tus-Resumable": "1.0.0"}
_AGAIN = {"offset-differs", "checksum-differs"}  # what a broken connection leaves behind
_ATTEMPTS = 5  # in a row

Progress = Callable[[int, int], None]


class Chunk(io.BytesIO):
    """A part of a file as the body of a request, which reports how much of it was read."""

    def __init__(self, content: bytes, report: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(content)
        self._report = report

    def __len__(self) -> int:
        return self.getbuffer().nbytes

    def read(self, size: int | None = -1, /) -> bytes:
        if block := super().read(size):
            self._report(self.tell())
        return block

    def rewind(self) -> None:
        self.seek(0)

    def headers(self, offset: int) -> dict[str, str]:
        checksum = _base64(hashlib.sha256(self.getbuffer()).digest())
        body = {"Content-Type": "application/offset+octet-stream", "Upload-Checksum": f"sha256 {checksum}"}
        return _TUS | {"Upload-Offset": str(offset)} | body


def upload_file(
    connection: Connection,
    challenge: str,
    path: Path,
    *,
    kind: str | None = None,
    phase: str | None = None,
    progress: Progress | None = None,
) -> Any:
    """Returns the file as the platform keeps it; `progress` gets the bytes that have arrived, and those in all.

    Raises PalioError with what the platform refuses, or "source-unreadable".
    """
    upload, size_bytes = announce(connection, challenge, path, phase)
    with reading(path):
        _send(connection, upload, path, size_bytes, progress or (lambda *_: None))
    return connection.post(f"{upload}/complete", {"kind": kind, "phase": phase}, again=True)


def announce(connection: Connection, challenge: str, path: Path, phase: str | None = None) -> tuple[str, int]:
    """The upload's path in the API and the file's size; an upload of that file that has begun is found again."""
    with reading(path):
        size_bytes, sha256 = measure(path)
    metadata = {"filename": path.name, "sha256": sha256} | ({"phase": phase} if phase else {})
    pairs = [f"{key} {_base64(text.encode(errors='replace'))}" for key, text in metadata.items()]
    headers = _TUS | {"Upload-Length": str(size_bytes), "Upload-Metadata": ",".join(pairs)}
    answer = connection.exchange("POST", f"/challenges/{challenge}/uploads", headers)
    return f"/uploads/{answer['Location'].rpartition('/')[2]}", size_bytes


def _send(connection: Connection, upload: str, path: Path, size_bytes: int, progress: Progress) -> None:
    offset, failed = _offset(connection, upload), 0
    with path.open("rb") as file:
        while offset < size_bytes and file.seek(offset) is not None and (content := file.read(CHUNK_BYTES)):
            chunk = Chunk(content, lambda read, start=offset: progress(start + read, size_bytes))  # type: ignore[misc]
            try:
                answer = connection.exchange("PATCH", upload, chunk.headers(offset), chunk)
                offset, failed = int(answer["Upload-Offset"]), 0
            except PalioError as error:
                failed += 1
                if error.failure.code not in _AGAIN or failed == _ATTEMPTS:
                    raise
                offset = _offset(connection, upload)


def _offset(connection: Connection, upload: str) -> int:
    return int(connection.exchange("HEAD", upload, _TUS)["Upload-Offset"])


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
