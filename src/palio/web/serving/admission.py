"""Admits a large body before any of it is read: the server asks with a copy of the request that has no body.

The access table has decided by then. This module decides whether the disk has room, whether the address takes files,
and whether an upload lacks that many bytes. No view runs.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from django.http import HttpRequest, HttpResponse

from palio.core.errors import PalioError
from palio.web.access.operations import operation_name
from palio.web.http.request import Request
from palio.web.models import Upload
from palio.web.storage.upload_folder import UploadFolder
from palio.web.verbs.uploads import offset_of

TAKE_FILES = frozenset({"pages:submit", "pages:publish", "pages:publish-version", "api:publish", "api:publish-version"})
APPENDS = "api:append-to-upload"
ASKED, ADMITTED = "palio.asked", "palio.admitted"  # in the WSGI environment, where no header can put them


class AdmissionMiddleware:
    """The last middleware, so that every other one has already refused what it refuses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        if ASKED not in request.META:
            return None
        size_bytes, at = int(request.META["CONTENT_LENGTH"]), request.resolver_match
        name = operation_name(at.view_name if at else "", request.method)
        with suppress(PalioError):  # the view says why
            UploadFolder.refuse_full(size_bytes)
            if name in TAKE_FILES or (name == APPENDS and size_bytes <= _lacking_bytes(request)):
                request.META[ADMITTED] = True
        return HttpResponse(status=204)


def _lacking_bytes(request: HttpRequest) -> int:
    upload = cast(Request[Upload], request).subject
    return upload.size_bytes - offset_of(upload)
