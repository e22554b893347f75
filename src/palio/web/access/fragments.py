"""Parts of a page that are asked for on their own, by htmx, when their reader may not have them any more.

A session ends while a page looks again each second: where one signs in must not land inside that page, and what is
refused must not be asked for again and again. The browser is told to go to the sign-in, and from there back to the page
that it showed; or to load the page anew, which then says why it is refused.
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
    """Inside of htmx' own, and outside of whatever decides who may see what."""

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
