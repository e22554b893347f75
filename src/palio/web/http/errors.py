"""How an error becomes an answer: JSON for the API, a page for everything else. Nothing else makes either."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from palio.core.errors import PalioError


def error_response(request: HttpRequest, error: PalioError) -> HttpResponse:
    return error_json(error) if request.path.startswith("/api/") else error_page(request, error)


def error_json(error: PalioError) -> JsonResponse:
    return JsonResponse(error.failure.as_body(), status=error.status)


def error_page(request: HttpRequest, error: PalioError) -> HttpResponse:
    """With the site's header and navigation; a page that shows the error beside its own form renders the failure."""
    return render(request, "error.html", {"failure": error.failure}, status=error.status)


class ErrorMiddleware:
    """Answers for views that raise PalioError."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return error_response(request, exception) if isinstance(exception, PalioError) else None
