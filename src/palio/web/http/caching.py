"""What may be kept of an answer, and by whom: one rule for all that does not say it itself.

    for somebody who is signed in, or with a cookie or a key in it     private, no-store
    for everybody                                                      no-cache: it is asked for again each time

Covered: pages, fragments, the API, errors. Boards say `private, no-cache` themselves, as whoever has one is told that
it has not changed; pictures of a challenge may be kept for a day. Static files are served before this, by WhiteNoise:
their names change with their content, so that they are kept for good.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

OWN, EVERYBODYS = "private, no-store", "no-cache"


class CachingMiddleware:
    """Outside of whatever sets cookies."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if "Cache-Control" not in response:
            own = (
                response.status_code >= 500 or response.cookies or _is_somebody(request)
            )  # the database may be what broke
            response["Cache-Control"] = OWN if own else EVERYBODYS
        return response


def _is_somebody(request: HttpRequest) -> bool:
    if "Authorization" in request.headers:
        return True
    user = getattr(request, "user", None)  # None where it was refused before anybody asked who it is
    return bool(request.COOKIES) if user is None else bool(user.is_authenticated)
