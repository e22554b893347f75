"""Appends a chunk to an upload, in small blocks as it arrives.

The bytes that arrive before a connection breaks are kept. A chunk sent with a checksum is kept only if that agrees.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from django.http import UnreadablePostError

from palio.core.errors import PalioError
from palio.web.models import Upload
from palio.web.storage.upload_folder import BLOCK_BYTES, UploadFolder, room
from palio.web.verbs.uploads import offset_of

ALGORITHMS = ("sha256", "sha1")  # tus requires SHA-1


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Checksum:
    algorithm: str  # one of ALGORITHMS
    digest: bytes


def append_chunk(
    upload: Upload, offset: int, size_bytes: int, stream: Stream, checksum: Checksum | None = None
) -> None:
    """Appends at most `size_bytes` from the stream, which has to start at the upload's offset.

    Raises PalioError: "upload-locked", "offset-differs", "upload-exceeded", "checksum-differs", "storage-full".
    """
    folder = UploadFolder.of(upload)
    with folder.alone():
        upload.refresh_from_db(fields=["file"])
        _refuse_unfit(upload, offset, size_bytes)
        if not size_bytes:
            return
        UploadFolder.refuse_full(size_bytes)
        digest = hashlib.new(checksum.algorithm if checksum else "sha256", usedforsecurity=False)
        with room(), folder.content.open("ab") as file:
            while size_bytes and (block := _read(stream, min(size_bytes, BLOCK_BYTES))):
                size_bytes -= len(block)
                file.write(block)
                if checksum:
                    digest.update(block)
            if checksum and digest.digest() != checksum.digest:
                file.truncate(offset)
                raise PalioError("checksum-differs")


def _refuse_unfit(upload: Upload, offset: int, size_bytes: int) -> None:
    if offset != (present := offset_of(upload)):
        raise PalioError("offset-differs", offset=f"{offset:,}", arrived=f"{present:,}")
    if offset + size_bytes > upload.size_bytes:
        raise PalioError("upload-exceeded", size=f"{upload.size_bytes:,}", end=f"{offset + size_bytes:,}")


def _read(stream: Stream, size: int) -> bytes:
    try:
        return stream.read(size)
    except UnreadablePostError:  # the sender is gone, and what it has sent is kept
        return b""
