"""A team's accounts at registries of images, for its captain."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.core.bundle.model import SubmissionKind
from palio.web.http.request import Request, signed_in
from palio.web.models import Team
from palio.web.pages.actions import redirect_after
from palio.web.queries.challenges import published
from palio.web.verbs import registry_accounts


def show(request: Request[Team], team: str) -> HttpResponse:
    found = request.subject
    challenge, _, bundle = published(found.challenge)
    context = {
        "challenge": challenge,
        "team": found,
        "accounts": registry_accounts.accounts_of(found),
        "takes_references": any(SubmissionKind.REFERENCE in phase.rules.submissions for phase in bundle.phases),
    }
    return render(request, "team/registry_accounts.html", context)


@require_POST
def save(request: Request[Team], team: str) -> HttpResponse:
    found = request.subject

    def act() -> str:
        given = (request.POST.get(name, "") for name in ("registry", "username", "secret"))
        saved = registry_accounts.save(found, *given, actor=signed_in(request))
        return gettext("Account at %(registry)s saved.") % {"registry": saved.registry}

    return redirect_after(request, _back(found), act)


@require_POST
def delete(request: Request[Team], team: str, account: str) -> HttpResponse:
    found = registry_accounts.accounts_of(request.subject).filter(pk=account).first()

    def act() -> str:
        if found is not None:  # else it is gone already
            registry_accounts.delete(found, actor=signed_in(request))
        return gettext("Account deleted.")

    return redirect_after(request, _back(request.subject), act)


def _back(team: Team) -> str:
    return reverse("pages:list-registry-accounts", args=[team.pk])


urls = [
    path("teams/<str:team>/registry-accounts/", show, name="list-registry-accounts"),
    path("teams/<str:team>/registry-accounts/save/", save, name="save-registry-account"),
    path("teams/<str:team>/registry-accounts/<str:account>/delete/", delete, name="delete-registry-account"),
]
