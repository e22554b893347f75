"""There is one table of errors, and one way from it to an answer."""

import re
from pathlib import Path

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from ninja.errors import HttpError

import palio
from palio.core.errors import FAILURES, Cause, Failure, PalioError
from palio.web.api import _on_error
from palio.web.http.errors import ErrorMiddleware, error_response

SOURCE = Path(palio.__file__).parent
BODY = {"code", "responsible", "message", "next_step", "evidence"}

FACTS = {"engines/docker/promises.py", "core/attempt/verdicts.py"}  # of a row whose next step the engine knows

# What would be a second way, and the modules that are the first.
SECOND_WAYS = {
    r"\bRefusedError\b": {"engines/docker/egress_proxy_program.py", "engines/sources/outbound.py"},
    r"[\"']next_step[\"']\s*:": {"core/errors/failure.py", "web/serving/health.py", *FACTS},
    r"\braise HttpError\b|\bAPIException\b": set(),
    r"\bJsonResponse\(": {"web/http/errors.py", "web/pages/health.py"},
    r"\bstatus=[45]\d\d\b": {"core/errors/table"},
    r"\bPermissionDenied\(": set(),
    r"\bHttpResponse(BadRequest|Forbidden|NotFound|NotAllowed|ServerError|Gone)\(": set(),
    r"[\"']error\.html[\"']": {"web/http/errors.py"},
}


def second_ways(source: Path) -> list[str]:
    found = []
    for path in sorted(source.rglob("*.py")):
        name, text = path.relative_to(source).as_posix(), path.read_text(encoding="utf-8")
        for pattern, first in SECOND_WAYS.items():
            if not any(name.startswith(each) for each in first):
                found += [f"{name}: {match.group()}" for match in re.finditer(pattern, text)]
    return found


def test_refusals_only_by_palio_error() -> None:
    assert second_ways(SOURCE) == []


@pytest.mark.parametrize(
    "text",
    [
        'raise RefusedError("slug-taken", "There is one.", "Choose another.", 409)',
        'return {"code": "x", "message": "M.", "next_step": "N."}',
        'raise HttpError(400, "No.")',
        'return JsonResponse({"error": "No."}, status=400)',
        'raise PermissionDenied("No.")',
        'return render(request, "error.html", {"title": "No"}, status=403)',
        'return HttpResponseForbidden("No.")',
    ],
)
def test_refusal_scan_finds_others(tmp_path: Path, text: str) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/view.py").write_text(f"{text}\n")
    assert second_ways(tmp_path) != []


def test_error_as_json_or_page(client: Client) -> None:
    error = PalioError("slug-taken", slug="mednist", evidence=["a line"])
    answer = error_response(RequestFactory().get("/api/v1/x"), error)
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, "application/json")
    missing = client.get("/api/v1/nowhere")
    assert (missing.status_code, set(missing.json())) == (404, BODY)


def test_error_body_round_trip() -> None:
    failure = PalioError("slug-taken", slug="mednist", evidence=["a line"]).failure
    assert set(failure.as_body()) == BODY
    assert failure.as_body()["responsible"] == "organizer"
    assert Failure.from_body(failure.as_body()) == failure


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not-found"),
        (HttpError(400, "Cannot parse request body"), 400, "request-unreadable"),
        (PalioError("quota-exhausted", phase="Final", limit="5 submissions"), 429, "quota-exhausted"),
    ],
)
def test_api_errors_in_table(error: Exception, status: int, code: str) -> None:
    answer = _on_error(RequestFactory().get("/api/v1/x"), error)
    assert answer.status_code == status
    assert f'"code": "{code}"' in answer.content.decode()


def test_other_errors_not_handled() -> None:
    middleware = ErrorMiddleware(lambda request: error_response(request, PalioError("not-found")))
    assert middleware.process_exception(RequestFactory().get("/api/v1/x"), ValueError("a bug")) is None


@pytest.mark.parametrize("code", FAILURES)
def test_status_by_responsible_party(code: str) -> None:
    kind = FAILURES[code]
    assert 400 <= kind.status < 600
    if kind.status >= 500:
        assert kind.cause is Cause.PLATFORM
