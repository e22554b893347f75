"""Forms with a file: written to the disk while it comes, and no further than it may be large.

Everywhere else a file in a form is refused: Django would write it to the disk before it is known who sends it.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from palio.core.errors import PalioError
from palio.core.quantities import size_text
from palio.web.http.errors import error_page
from palio.web.storage.upload_folder import UploadFolder, is_full

View = Callable[..., HttpResponse]
FORM_BYTES = 1024 * 1024  # of everything beside the file


class NoFiles(FileUploadHandler):
    """For all forms that do not expect a file."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise RequestDataTooBig("a file was sent where none is expected")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class BoundedFile(TemporaryFileUploadHandler):
    """Stops at a number of bytes, whatever was announced."""

    def __init__(self, request: HttpRequest, limit_bytes: int) -> None:
        super().__init__(request)
        self._left = limit_bytes

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._left -= len(raw_data)
        if self._left < 0:
            self.file.close()
            raise RequestDataTooBig("the file is larger than it may be")
        super().receive_data_chunk(raw_data, start)

    def remove(self) -> None:
        """Also what Django leaves open: a file that broke off, or whose rest finds no room on the disk."""
        if hasattr(self, "file"):
            Path(self.file.temporary_file_path()).unlink(missing_ok=True)
            with suppress(OSError):  # of what is still to be written
                self.file.close()


def receives_file(view: View) -> View:
    """For a view whose form has a file: the access table has decided before any of it is read."""
    protected: View = csrf_protect(view)

    @csrf_exempt  # only so far: the check itself would read the whole form before there is a bound
    @wraps(view)
    def receiving(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            most = settings.CONFIGURATION.max_upload_bytes
            if int(request.META.get("CONTENT_LENGTH") or 0) > most + FORM_BYTES:
                return error_page(request, PalioError("request-too-large", limit=size_text(most)))
            try:
                UploadFolder.refuse_full(int(request.META.get("CONTENT_LENGTH") or 0))
            except PalioError as error:
                return error_page(request, error)
            request.upload_handlers = [BoundedFile(request, most)]
        try:
            return protected(request, *args, **kwargs)
        except OSError as error:  # of the file's way to the disk
            if not is_full(error):
                raise
            return error_page(request, PalioError("storage-full"))
        finally:
            for handler in request.upload_handlers:
                if isinstance(handler, BoundedFile):
                    handler.remove()

    return receiving
