"""Handles page fragments requested by htmx when the user may no longer see them.

A session may end while a page polls every second: the sign-in page must not be inserted into that page, and a refused
request must not be repeated forever. The browser is told to open the sign-in page, which returns to the current page;
or to reload the page, which then shows why it is refused.
"""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from palio.web.http.request import Request

_REFUSED = frozenset({403, 404})


class FragmentsMiddleware:
    """Must be inside htmx's middleware and outside of those that check access."""

    def __init__(self, get_response: Callable[[Request[object]], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: Request[object]) -> HttpResponse:
        response = self._get_response(request)
        if not request.htmx:
            return response
        if response.status_code == 302 and response["Location"].startswith(resolve_url(settings.LOGIN_URL)):
            shown = request.htmx.current_url_abs_path
            return HttpResponseClientRedirect(redirect_to_login(shown or "/").url)
        return HttpResponseClientRefresh() if response.status_code in _REFUSED else response
