"""What Django and allauth ask for where a request fails outside of a view, or a view fails for an unknown reason."""

import sys

from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.html import escape

from palio.core.errors import Failure, PalioError
from palio.web.http import database_errors
from palio.web.http.errors import error_json, error_response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, PalioError("request-unreadable", reason="it is not valid"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, PalioError("not-allowed"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, PalioError("not-found"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was not sent from one of our pages, or from one that is too old."""
    return error_response(request, PalioError("form-expired"))


def too_many(request: HttpRequest) -> HttpResponse:
    """For allauth, which limits attempts to sign in and up, and refuses those that it cannot count."""
    if error := database_errors.error_of_writing():
        return _without_database(request, error)
    return error_response(request, PalioError("too-many-attempts"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Without templates and database, because they may be what failed."""
    raised = sys.exception()
    known = raised if isinstance(raised, PalioError) else database_errors.error_for(raised)
    return _without_database(request, known or PalioError("internal-error"))


def _without_database(request: HttpRequest, error: PalioError) -> HttpResponse:
    is_api = request.path.startswith("/api/")
    answer = error_json(error) if is_api else _bare_page(error.failure, error.status)
    if error.status == 503:
        answer["Retry-After"] = str(database_errors.RETRY_S)
    return answer


def _bare_page(failure: Failure, status: int) -> HttpResponse:
    title, next_step = escape(failure.message), escape(failure.next_step)
    sheets = ("vendor/modern-normalize/modern-normalize.css", "palio/palio.css")
    links = "".join(f'<link rel="stylesheet" href="{static(sheet)}">' for sheet in sheets)
    return HttpResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} · Palio</title>{links}"
        f'<main><h1>{title}</h1><p>{next_step}</p><p><a href="/">All challenges</a></p></main></html>',
        status=status,
    )
