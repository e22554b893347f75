"""The language of a response: that of the reader for pages, English for everything that programs read.

A reader's language is the one in the cookie, which the footer of each page sets, or else the first one in
Accept-Language that Palio has, or else that of the platform's configuration. Programs and colleagues rely on the words
of the API and of files, so these are the same everywhere; so is what is said outside of a request.
"""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

from palio.web.config.languages import LANGUAGE_NAMES

ENGLISH = "en"
# The API, and addresses that end like a file: downloads, feeds, calendars, drawings.
_FOR_PROGRAMS = re.compile(r"/api/|/(health|metrics)$|.*\.[a-z0-9]{2,4}$")


class LanguageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_page = _FOR_PROGRAMS.match(request.path_info) is None
        language = reader_language(request) if is_page else ENGLISH
        with translation.override(language):
            response = self._get_response(request)
        if is_page:
            response.headers.setdefault("Content-Language", language)
            patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response


def reader_language(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if chosen in LANGUAGE_NAMES:
        return chosen
    asked = (code.partition("-")[0] for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")))
    default: str = settings.CONFIGURATION.language
    return next((code for code in asked if code in LANGUAGE_NAMES), default)
