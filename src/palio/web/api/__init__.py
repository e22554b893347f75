"""The API under /api/v1, one module per resource; it covers everything that the pages can do.

Errors are the rows of `core.errors`, answered as `{code, responsible, message, next_step, evidence}`.
"""

from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import HttpError, Throttled, ValidationError

from palio import __version__
from palio.core.errors import PalioError, counted
from palio.web.access import operations
from palio.web.api.json_body import JsonParser
from palio.web.api.openapi import DocumentedAPI
from palio.web.api.rate_limit import Rate, too_many
from palio.web.http.errors import error_json

api = DocumentedAPI(
    title="Palio",
    version=__version__,
    urls_namespace="api",
    description="Run image-AI challenges that are won by code. Create API tokens on your account page.",
    throttle=[Rate()],
    parser=JsonParser(),
    docs_url=None,  # ninja's page loads from another host; the document is at /api/v1/openapi.json
)


@api.exception_handler(PalioError)
@api.exception_handler(ValidationError)
@api.exception_handler(HttpError)
@api.exception_handler(Http404)
def _on_error(request: HttpRequest, error: Exception) -> HttpResponse:
    return error_json(_known(error))


def _known(error: Exception) -> PalioError:
    match error:
        case PalioError():
            return error
        case Http404():
            return PalioError("not-found")
        case ValidationError():
            problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors]
            return PalioError("request-invalid", count=counted(len(problems), "invalid value"), evidence=problems)
        case Throttled():
            return too_many(error.wait)
    return PalioError("request-unreadable", reason=str(error).rstrip("."))


# At the end, because the modules use what is above.
from palio.web.api import (  # noqa: E402
    account,
    accounts,
    announcements,
    audit_log,
    dashboard,
    dashboard_submissions,
    edit,
    files,
    invitations,
    joining,
    leaderboard,
    messages,
    notifications,
    participants,
    publishing,
    registry_accounts,
    rescores,
    submissions,
    teams,
    uploads,
    webhooks,
)

_MODULES = (
    leaderboard,
    uploads,
    files,
    submissions,
    publishing,
    joining,
    invitations,
    teams,
    account,
    notifications,
    webhooks,
    registry_accounts,
    accounts,
)
_DASHBOARD = (dashboard, dashboard_submissions, participants, audit_log, announcements, messages, rescores, edit)
for _module in (*_MODULES, *_DASHBOARD):
    api.add_router("", _module.router)
    for _view in _module.router.path_operations.values():
        operations.register(
            {method: operation.url_name or "" for operation in _view.operations for method in operation.methods}
        )
