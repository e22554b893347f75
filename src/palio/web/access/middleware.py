"""Denies what the table does not allow, before any view runs.

A user who may not see something gets "not found": a draft, another team's submission. A user who may see it but not
change it gets "not allowed".
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

from palio.core.errors import PalioError
from palio.web.access.operations import methods_at, operation_name
from palio.web.access.relations import affiliation_of, challenge_of, relations
from palio.web.access.rules import BROWSERS_ONLY, SUBJECTS, VIEWER, Rule, find_rule
from palio.web.http.cache import cached
from palio.web.http.errors import error_json, error_response
from palio.web.http.request import Relation, Request
from palio.web.models import Challenge, ChallengeVersion, Submission

# Related rows that the rules or every page of a subject need: read in the same query. Versions never change and are
# cached.
_BESIDE: Mapping[type[Model], tuple[str, ...]] = {
    Submission: ("team", "file", "user", "challenge__current"),
}


class AccessMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: Request[Model | None], view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        at = request.resolver_match.view_name if request.resolver_match else ""
        name = operation_name(at, request.method)
        rule = find_rule(name)
        if rule is None or any("\0" in str(value) for value in kwargs.values()):  # PostgreSQL cannot search for NUL
            raise Http404
        subject = _subject(rule, kwargs)
        affiliation = affiliation_of(request.user, challenge_of(subject))
        found = relations(request.user, subject, affiliation)
        _hide_drafts(subject, found)
        if not rule.allowed & found:
            return _refusal(request, name, found, subject)
        scope = BROWSERS_ONLY if rule.browsers and not _is_api(name) else rule.scope
        if request.token is not None and scope not in request.token.scopes:
            return error_response(request, PalioError("token-scope-missing", scope=scope))
        if (methods := methods_at(at)) and request.method not in methods:
            refused = PalioError("method-not-allowed", method=request.method, allowed=" or ".join(methods))
            answer = error_response(request, refused)
            answer["Allow"] = ", ".join(methods)
            return answer
        request.subject, request.relations, request.team = subject, found, affiliation.team
        if _is_api(name) and request.token is None:  # with a cookie, changes need a CSRF token
            return CsrfViewMiddleware(self._get_response).process_view(request, _not_exempt, args, kwargs)
        return None


def _not_exempt(*_: object) -> HttpResponse:
    """Stands in for an API view: ninja exempts its views from the CSRF check, which asks the view."""
    return HttpResponse()


def _is_api(name: str) -> bool:
    return name.startswith("api:")


def _subject(rule: Rule, kwargs: dict[str, Any]) -> Model | None:
    if rule.of is None:
        return None
    model, field = SUBJECTS[rule.of]
    key = kwargs[rule.of]
    if "\0" in str(key):  # PostgreSQL cannot search for NUL
        raise Http404
    try:
        subject = model._default_manager.select_related(*_BESIDE.get(model, ())).get(**{field: key})
    except ObjectDoesNotExist as error:
        raise Http404 from error
    if isinstance(subject, Challenge) and (number := subject.current_id) is not None:
        subject.current = cached(f"version/{number}", 0, lambda: ChallengeVersion.objects.get(pk=number))
    return subject


def _hide_drafts(subject: Model | None, found: frozenset[Relation]) -> None:
    challenge = challenge_of(subject)
    if challenge and challenge.visibility == Challenge.Visibility.DRAFT and not VIEWER & found:
        raise Http404


def _refusal(
    request: HttpRequest, name: str, found: frozenset[Relation], subject: Model | None
) -> HttpResponseBase | None:
    if Relation.SIGNED_IN not in found:
        if _is_api(name):
            return error_json(PalioError("not-signed-in"))
        return redirect_to_login(request.get_full_path())
    if subject is None or isinstance(subject, Challenge):
        raise PermissionDenied
    raise Http404
