"""Whether a large body is wanted, before any of it is taken: the server asks with a request that has none.

The access table has decided by then, and whether there is room is decided here. Nothing of a view runs.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from palio.web.upload_folder import UploadFolder
from palio.web.verbs.refusals import RefusedError

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
        try:
            UploadFolder.refuse_full(int(request.META["CONTENT_LENGTH"]))
            request.META[ADMITTED] = True
        except RefusedError:  # which the view says
            pass
        return HttpResponse(status=204)
