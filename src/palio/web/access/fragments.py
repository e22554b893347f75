"""Answers to htmx when a user may no longer have the fragment that it polls for.

When a session expires, the sign-in page must not land inside the polling page, and a refused fragment must not be
requested forever. The browser is sent to the sign-in page, and from there back to the page it showed; or it reloads the
page, which then says why it is refused.
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
    """Runs inside htmx's own middleware and outside the access middleware."""

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
