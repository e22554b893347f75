"""Forms with a file: written to disk as it arrives, up to the size limit.

Files in other forms are refused, because Django would write them to disk before access is checked.
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
FORM_BYTES = 1024 * 1024  # for the rest of the form


class NoFiles(FileUploadHandler):
    """For forms that expect no file."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise RequestDataTooBig("a file was sent where none is expected")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class BoundedFile(TemporaryFileUploadHandler):
    """Stops at a number of bytes, whatever Content-Length says."""

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
        """Also removes what Django leaves behind: a file whose upload broke off or filled the disk."""
        if hasattr(self, "file"):
            Path(self.file.temporary_file_path()).unlink(missing_ok=True)
            with suppress(OSError):  # when flushing
                self.file.close()


def receives_file(view: View) -> View:
    """For a view whose form has a file: access is checked before any of it is read."""
    protected: View = csrf_protect(view)

    @csrf_exempt  # until the size is limited: the CSRF check would read the whole form
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
        except OSError as error:  # from writing the file
            if not is_full(error):
                raise
            return error_page(request, PalioError("storage-full"))
        finally:
            for handler in request.upload_handlers:
                if isinstance(handler, BoundedFile):
                    handler.remove()

    return receiving
