"""Cache-Control of all responses that do not set it themselves.

    for a signed-in user, or with a cookie or key in it     private, no-store
    for everyone                                            no-cache: revalidated each time

Covers pages, fragments, the API and errors. Leaderboards set `private, no-cache` themselves, since they can be
revalidated; pictures of a challenge may be cached for a day. WhiteNoise serves static files before this: their names
change with their content, so they are cached forever.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

OWN, EVERYBODYS = "private, no-store", "no-cache"


class CachingMiddleware:
    """Must be outside every middleware that sets cookies."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if "Cache-Control" not in response:
            own = response.status_code >= 500 or response.cookies or _is_somebody(request)  # the database may be broken
            response["Cache-Control"] = OWN if own else EVERYBODYS
        return response


def _is_somebody(request: HttpRequest) -> bool:
    if "Authorization" in request.headers:
        return True
    user = getattr(request, "user", None)  # None if the request was refused before authentication
    return bool(request.COOKIES) if user is None else bool(user.is_authenticated)
