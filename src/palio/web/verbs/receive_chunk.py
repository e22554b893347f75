"""Takes one chunk: written in small blocks as it comes, and kept only if its digest agrees."""

import hashlib
from typing import Protocol

from django.db import IntegrityError, transaction

from palio.core.errors import PalioError, counted
from palio.core.quantities import size_text
from palio.web.models import Upload, UploadedChunk
from palio.web.storage.upload_folder import BLOCK_BYTES, UploadFolder, part_of, room


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def put_chunk(upload: Upload, index: int, sha256: str, stream: Stream) -> None:
    """Keeps the chunk; does nothing if it is there. Any order, and several at a time.

    Raises PalioError: "chunk-unknown", "chunk-differs", "chunk-incomplete", "chunk-damaged", "storage-full".
    """
    if not 0 <= index < upload.chunk_count:
        raise PalioError("chunk-unknown", index=index, count=counted(upload.chunk_count, "chunk"))
    if upload.file_id is not None or _is_there(upload, index, sha256):
        while stream.read(BLOCK_BYTES):  # read to its end, so that the connection can be used again
            pass
        return
    folder = UploadFolder.of(upload)
    size_bytes = chunk_size(upload, index)
    UploadFolder.refuse_full(2 * size_bytes)
    with part_of(folder) as part:
        with room(), part.open("wb", buffering=0) as file:
            digest, received = hashlib.sha256(), 0
            while block := _read(stream):
                received += len(block)
                if received > size_bytes:
                    raise _incomplete(index, size_bytes, "more bytes")
                digest.update(block)
                file.write(block)
        if received != size_bytes:
            raise _incomplete(index, size_bytes, size_text(received))
        if digest.hexdigest() != sha256:
            raise PalioError("chunk-damaged", index=index)
        with room():
            folder.place(part, index * upload.chunk_bytes)
    try:
        with transaction.atomic():
            UploadedChunk.objects.create(upload=upload, index=index, sha256=sha256)
    except IntegrityError:  # it came twice at a time
        _is_there(upload, index, sha256)


def chunk_size(upload: Upload, index: int) -> int:
    return min(upload.chunk_bytes, upload.size_bytes - index * upload.chunk_bytes)


def _is_there(upload: Upload, index: int, sha256: str) -> bool:
    kept = UploadedChunk.objects.filter(upload=upload, index=index).values_list("sha256", flat=True).first()
    if kept is not None and kept != sha256:
        raise PalioError("chunk-differs", index=index)
    return kept is not None


def _read(stream: Stream) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except OSError as error:  # the sender is gone; what it is told is for the log of a proxy
        raise PalioError("chunk-interrupted") from error


def _incomplete(index: int, expected: int, received: str) -> PalioError:
    return PalioError("chunk-incomplete", index=index, size=size_text(expected), received=received)
