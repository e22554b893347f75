"""Sends a file to a platform, in chunks, several at a time; what is there already is not sent again.

Whoever is interrupted runs the same command again: the platform knows the file by its digest.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from palio.client.connection import Connection
from palio.core.errors import PalioError
from palio.core.files.digest import measure
from palio.core.files.staging import reading

AT_ONCE = 3
_AGAIN = {"chunk-damaged", "chunk-incomplete"}  # on its way, so that it is worth another try
_TRIES = 4

Progress = Callable[[int, int], None]


class Chunk:
    """A part of a file, as the body of a request."""

    def __init__(self, path: Path, start: int, size_bytes: int, sent: Callable[[int], None]) -> None:
        self._path, self._start, self._size_bytes, self._report = path, start, size_bytes, sent
        self._file = path.open("rb")
        self._read = 0

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(1 << 16):
            yield block

    def read(self, size: int = -1, /) -> bytes:
        left = self._size_bytes - self._read
        block = self._file.read(left if size < 0 else min(size, left))
        self._read += len(block)
        self._report(len(block))
        return block

    def rewind(self) -> None:
        self._report(-self._read)
        self._file.seek(self._start)
        self._read = 0

    def digest(self) -> str:
        self._file.seek(self._start)
        digest, left = hashlib.sha256(), self._size_bytes
        while left and (block := self._file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        return digest.hexdigest()

    def close(self) -> None:
        self._file.close()


def upload_file(
    connection: Connection,
    challenge: str,
    path: Path,
    *,
    kind: str | None = None,
    phase: str | None = None,
    progress: Progress | None = None,
) -> Any:
    """The file as the platform keeps it; `progress` is told how many bytes are there, of how many.

    Raises PalioError with what the platform refuses, or "source-unreadable".
    """
    with reading(path):
        size_bytes, sha256 = measure(path)
    announced = {"name": path.name, "size_bytes": size_bytes, "sha256": sha256, "phase": phase}
    upload = connection.post(f"/challenges/{challenge}/uploads", announced, again=True)
    if not upload["file"]:
        _send(connection, upload, path, progress or (lambda *_: None))
    return connection.post(f"/uploads/{upload['id']}/complete", {"kind": kind}, again=True)


def _send(connection: Connection, upload: Any, path: Path, progress: Progress) -> None:
    size_bytes, chunk_bytes = upload["size_bytes"], upload["chunk_bytes"]
    present = set(upload["present"])
    lock, sent = threading.Lock(), sum(min(chunk_bytes, size_bytes - index * chunk_bytes) for index in present)

    def report(more: int) -> None:
        nonlocal sent
        with lock:
            sent += more
            progress(min(sent, size_bytes), size_bytes)

    def send(index: int) -> None:
        start = index * chunk_bytes
        with reading(path):
            chunk = Chunk(path, start, min(chunk_bytes, size_bytes - start), report)
        try:
            _put(connection.another(), f"/uploads/{upload['id']}/chunks/{index}", chunk)
        finally:
            chunk.close()

    report(0)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="palio-upload")
    try:
        waiting = {pool.submit(send, index) for index in range(upload["chunk_count"]) if index not in present}
        done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
        for each in done:
            each.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _put(connection: Connection, path: str, chunk: Chunk) -> None:
    headers = {"X-Chunk-SHA256": chunk.digest()}
    for last in (False,) * (_TRIES - 1) + (True,):
        try:
            connection.put(path, chunk, headers)
        except PalioError as error:
            if last or error.failure.code not in _AGAIN:
                raise
        else:
            return
