"""A file as the request body: written to disk as it arrives, up to the size limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings
from django.http import HttpRequest

from palio.core.errors import PalioError
from palio.core.quantities import size_text
from palio.web.storage.upload_folder import UploadFolder, room

_BLOCK_BYTES = 1024 * 1024


@contextmanager
def received(request: HttpRequest) -> Iterator[Path]:
    """The body, until the block ends. Raises PalioError "request-too-large", "file-incomplete", "storage-full"."""
    most, folder = settings.CONFIGURATION.max_upload_bytes, settings.FOLDERS.uploads
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if announced > most:
        raise _too_large(most)
    UploadFolder.refuse_full(announced)
    with room(), NamedTemporaryFile(prefix=".body-", dir=folder) as file:
        size_bytes = 0
        while block := request.read(_BLOCK_BYTES):
            size_bytes += len(block)
            if size_bytes > most:
                raise _too_large(most)
            file.write(block)
        file.flush()
        if size_bytes != announced:
            raise PalioError("file-incomplete", received=size_text(size_bytes), announced=size_text(announced))
        yield Path(file.name)


def _too_large(most: int) -> PalioError:
    return PalioError("request-too-large", limit=size_text(most))
