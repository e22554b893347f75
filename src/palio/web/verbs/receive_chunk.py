"""Takes one chunk: written in small blocks as it comes, and kept only if its digest agrees."""

import hashlib
from typing import Protocol

from django.db import IntegrityError, transaction

from palio.core.quantities import size_text
from palio.web.http.refusals import RefusedError
from palio.web.models import Upload, UploadedChunk
from palio.web.storage.upload_folder import BLOCK_BYTES, UploadFolder, part_of, room


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def put_chunk(upload: Upload, index: int, sha256: str, stream: Stream) -> None:
    """Keeps the chunk; does nothing if it is there. Any order, and several at a time.

    Raises RefusedError: "chunk-unknown", "chunk-differs", "chunk-incomplete", "chunk-damaged", "disk-full".
    """
    if not 0 <= index < upload.chunk_count:
        raise RefusedError(
            "chunk-unknown",
            f"This upload has {upload.chunk_count} chunks, numbered from 0; there is no chunk {index}.",
            "Ask for the upload: it says how large its chunks are, and which of them are there.",
            422,
        )
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
            raise RefusedError(
                "chunk-damaged",
                f"Chunk {index} did not arrive as it was sent: its SHA-256 is not the one that was announced with it.",
                "Send it again. Nothing of it was kept, and all other chunks are as they were.",
                422,
            )
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
        raise RefusedError(
            "chunk-differs",
            f"Chunk {index} is there already, with another content.",
            "The file was changed since it was announced: give this upload up and begin anew.",
        )
    return kept is not None


def _read(stream: Stream) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except OSError as error:  # the sender is gone; what it is told is for the log of a proxy
        raise RefusedError(
            "chunk-incomplete",
            "The connection broke off in the middle of a chunk.",
            "Send it again. Nothing of it was kept, and all other chunks are as they were.",
            400,
        ) from error


def _incomplete(index: int, expected: int, received: str) -> RefusedError:
    return RefusedError(
        "chunk-incomplete",
        f"Chunk {index} has {size_text(expected)}, and {received} arrived.",
        "Send it again. Nothing of it was kept, and all other chunks are as they were.",
        422,
    )
