"""Whether a large body is wanted, before any of it is taken: the server asks with a request that has none.

The access table has decided by then; whether there is room, and whether files are taken at that address, is decided
here. Nothing of a view runs.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.http import HttpRequest, HttpResponse

from palio.core.errors import PalioError
from palio.web.access.operations import operation_name
from palio.web.storage.upload_folder import UploadFolder
from palio.web.verbs.uploads import largest_chunk

TAKE_FILES = frozenset({"pages:submit", "pages:publish", "pages:publish-version", "api:publish", "api:publish-version"})
TAKES_CHUNKS = "api:put-chunk"
ASKED, ADMITTED = "palio.asked", "palio.admitted"  # in the environment of WSGI, where no header can put them


class AdmissionMiddleware:
    """The last one: whatever refuses a request has refused it before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        if ASKED not in request.META:
            return None
        size_bytes, at = int(request.META["CONTENT_LENGTH"]), request.resolver_match
        name = operation_name(at.view_name if at else "", request.method)
        with suppress(PalioError):  # which the view says
            UploadFolder.refuse_full(size_bytes)
            if name in TAKE_FILES or (name == TAKES_CHUNKS and size_bytes <= largest_chunk()):
                request.META[ADMITTED] = True
        return HttpResponse(status=204)
