"""The page of an invitation link. Opening it changes nothing; its button accepts the invitation."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from palio.web.models import Invitation, User
from palio.web.pages.account_adapter import INVITED
from palio.web.pages.actions import redirect_after
from palio.web.queries.challenges import rendered_terms
from palio.web.storage.bundles import bundle_of
from palio.web.verbs import invitations
from palio.web.verbs.joining import terms_of
from palio.web.verbs.teams import can_merge


@never_cache
def invitation(request: HttpRequest, code: str) -> HttpResponse:
    user = request.user if isinstance(request.user, User) else None
    found = invitations.find_invitation(code, user)
    if request.method == "POST":
        return _follow(request, found, code, user)
    merged = can_merge(found.team, user) if found.team and user else None
    context = {"invitation": found, "code": code, "merged": merged, **_terms(found)}
    return render(request, "invitation/show.html", context)


def _follow(request: HttpRequest, found: Invitation, code: str, user: User | None) -> HttpResponse:
    if user is None:
        request.session[INVITED] = found.id
        here = reverse("pages:home") if found.challenge is None else request.path
        return redirect(f"{reverse('account_signup')}?{urlencode({'next': here})}")
    if found.challenge is None:
        return redirect("pages:home")
    digest = request.POST.get("terms", "") if request.POST.get("accepted") else ""
    challenge, team, whole_team = found.challenge, found.team, bool(request.POST.get("whole_team"))

    def act() -> str:
        invitations.accept(code, user, terms_digest=digest, whole_team=whole_team)
        if team and whole_team:
            return gettext("Your team is now part of “%(team)s”.") % {"team": team.name}
        return (
            gettext("You joined the team “%(team)s”.") % {"team": team.name}
            if team
            else gettext("You joined the challenge.")
        )

    return redirect_after(request, reverse("pages:own-team" if team else "pages:challenge", args=[challenge.slug]), act)


def _terms(found: Invitation) -> dict[str, object]:
    """The terms to accept, for an invitation to a challenge."""
    challenge = found.challenge
    if challenge is None or found.team is not None or challenge.current is None:
        return {}
    terms = terms_of(bundle_of(challenge.current))
    if terms is None:
        return {}
    return {"terms": rendered_terms(challenge, challenge.current), "terms_digest": terms.digest}


urls = [path("invitations/<str:code>/", invitation, name="invitation")]
