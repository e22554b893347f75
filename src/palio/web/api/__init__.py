"""The API under /api/v1, one module per resource; it covers everything that the pages can do.

Errors have the codes of `core.errors`.
"""

from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import HttpError, Throttled, ValidationError

from palio import __version__
from palio.core.errors import Cause, PalioError
from palio.web.access import operations
from palio.web.api.json_body import JsonParser
from palio.web.api.openapi import DocumentedAPI
from palio.web.api.rate_limit import Rate, too_many
from palio.web.http.refusals import RefusedError

api = DocumentedAPI(
    title="Palio",
    version=__version__,
    urls_namespace="api",
    description="Run image-AI challenges that are won by code. Create API tokens on your account page.",
    throttle=[Rate()],
    parser=JsonParser(),
    docs_url=None,  # ninja's page loads from another host; the document is at /api/v1/openapi.json
)

_STATUS = {Cause.USAGE: 400, Cause.PARTICIPANT: 422, Cause.ORGANIZER: 422, Cause.PLATFORM: 503}


@api.exception_handler(PalioError)
def _on_failure(request: HttpRequest, error: PalioError) -> HttpResponse:
    failure = error.failure
    body = {
        "code": failure.code,
        "cause": failure.cause,
        "message": failure.message,
        "next_step": failure.next_step,
        "evidence": list(failure.evidence),
    }
    return api.create_response(request, body, status=_STATUS[failure.cause])


@api.exception_handler(RefusedError)
def _on_refusal(request: HttpRequest, error: RefusedError) -> HttpResponse:
    said = {"code": error.code, "message": error.message, "next_step": error.next_step}
    body = said | {"evidence": [*error.evidence]}
    return api.create_response(request, body, status=error.status)


@api.exception_handler(ValidationError)
def _on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors]
    body = {
        "code": "request-invalid",
        "message": f"The request has {len(problems)} value(s) that cannot be used.",
        "next_step": "Mend what is listed; /api/v1/openapi.json says what is allowed.",
        "evidence": problems,
    }
    return api.create_response(request, body, status=422)


@api.exception_handler(HttpError)
def _on_unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error, Throttled):
        return api.create_response(request, too_many(error.wait), status=429)
    body = {
        "code": "request-invalid",
        "message": f"The request cannot be read: {str(error).rstrip('.')}.",
        "next_step": "Send JSON as /api/v1/openapi.json says.",
        "evidence": [],
    }
    return api.create_response(request, body, status=error.status_code)


@api.exception_handler(Http404)
def _on_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    body = {
        "code": "not-found",
        "message": "There is nothing here, or nothing that you may see.",
        "next_step": "Check the address, and who you are signed in as.",
        "evidence": [],
    }
    return api.create_response(request, body, status=404)


# At the end, because the modules use what is above.
from palio.web.api import (  # noqa: E402
    account,
    accounts,
    announcements,
    audit_log,
    dashboard,
    dashboard_submissions,
    files,
    invitations,
    joining,
    leaderboard,
    publishing,
    rescores,
    submissions,
    teams,
    uploads,
)

_MODULES = (leaderboard, uploads, files, submissions, publishing, joining, invitations, teams, account, accounts)
_DASHBOARD = (dashboard, dashboard_submissions, audit_log, announcements, rescores)
for _module in (*_MODULES, *_DASHBOARD):
    api.add_router("", _module.router)
    for _view in _module.router.path_operations.values():
        operations.register(
            {method: operation.url_name or "" for operation in _view.operations for method in operation.methods}
        )
