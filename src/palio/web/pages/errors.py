"""The pages of what went wrong: a sentence and a way on, never a trace of the code."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.html import escape

from palio.core.errors import Cause, PalioError
from palio.web.http import database_errors
from palio.web.http.refusals import RefusedError

_TEXTS = {
    400: ("This request cannot be understood", "Go back, load the page again, and try once more."),
    403: ("You may not do this", "Sign in as somebody who may, or ask an organizer of the challenge."),
    404: ("There is nothing here", "The address may be mistyped, or what it names is not for you to see."),
    429: ("Too many attempts", "Wait some minutes, then try once more."),
    500: ("Something broke on our side", "It was written to the platform's log. Nothing that was accepted is lost."),
}
_CODES = {400: "request-invalid", 403: "not-allowed", 404: "not-found", 429: "too-many-requests", 500: "bug"}


def _page(request: HttpRequest, status: int, said: str = "") -> HttpResponse:
    title, next_step = _TEXTS[status]
    if request.path.startswith("/api/"):
        body = {"code": _CODES[status], "message": f"{said or title}.", "next_step": next_step, "evidence": []}
        return JsonResponse(body, status=status)
    return render(request, "error.html", {"title": title, "next_step": next_step, "said": said}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403, str(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404)


def too_many(request: HttpRequest) -> HttpResponse:
    """For allauth, which counts attempts to sign in and up, and takes those that it cannot count for too many."""
    if refused := database_errors.refusal_to_write():
        return _away(request, refused)
    return _page(request, 429)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that did not come from a page of ours, or from one that is too old."""
    return _page(request, 403, "This form has expired, or did not come from here; go back and load the page again")


def server_error(request: HttpRequest) -> HttpResponse:
    """Made without templates or the database: they may be what broke."""
    if refused := _refusal(sys.exception()):
        return _away(request, refused)
    if request.path.startswith("/api/"):
        return _page(request, 500)
    return _bare(*_TEXTS[500], 500)


def _refusal(error: BaseException | None) -> RefusedError | None:
    """What a view did not say itself."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, PalioError):
        failure, status = error.failure, 503 if error.failure.cause is Cause.PLATFORM else 422
        return RefusedError(failure.code, failure.message, failure.next_step, status, failure.evidence)
    return database_errors.refusal_for(error)


def _away(request: HttpRequest, refused: RefusedError) -> HttpResponse:
    answer: HttpResponse
    if request.path.startswith("/api/"):
        said: dict[str, object] = {"code": refused.code, "message": refused.message, "next_step": refused.next_step}
        said["evidence"] = [*refused.evidence]
        answer = JsonResponse(said, status=refused.status)
    else:
        answer = _bare(escape(refused.message.rstrip(".")), escape(refused.next_step), refused.status)
    if refused.status == 503:
        answer["Retry-After"] = str(database_errors.AGAIN_S)
    return answer


def _bare(title: str, next_step: str, status: int) -> HttpResponse:
    sheets = ("vendor/modern-normalize/modern-normalize.css", "palio/palio.css")
    links = "".join(f'<link rel="stylesheet" href="{static(sheet)}">' for sheet in sheets)
    return HttpResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} · Palio</title>{links}"
        f'<main><h1>{title}</h1><p>{next_step}</p><p><a href="/">To the challenges</a></p></main></html>',
        status=status,
    )
