"""The user's team in a challenge."""

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.web.access.relations import own_team
from palio.web.access.rules import TEAM, VIEWER
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Invitation, Team
from palio.web.pages.actions import perform, redirect_after, show_error
from palio.web.queries.challenges import published
from palio.web.queries.team_page import public_entries, public_receipt
from palio.web.verbs import invitations, team_profile, teams


def own(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, _ = published(request.subject)
    team = own_team(found, signed_in(request))
    if team is None:
        return redirect("pages:challenge", found.slug)
    return _show(request, team)


def public(request: Request[Team], team: str) -> HttpResponse:
    """The page of a team that has published it; until then, only for the team and people with a role."""
    found = request.subject
    challenge, _, bundle = published(found.challenge)
    _refuse_private(request, found)
    context = {
        "challenge": challenge,
        "team": found,
        "country": team_profile.countries().get(found.country, ""),
        "entries": public_entries(found, bundle),
    }
    return render(request, "team/public.html", context)


def receipt(request: Request[Team], team: str, submission: str) -> HttpResponse:
    _refuse_private(request, request.subject)
    _, _, bundle = published(request.subject.challenge)
    found = public_receipt(request.subject, bundle, submission)
    if found is None:
        raise Http404
    headers = {"Content-Disposition": 'attachment; filename="receipt.json"'}
    return HttpResponse(found.read_bytes(), "application/json", headers=headers)


def _refuse_private(request: Request[Team], team: Team) -> None:
    if not team.is_public and not (VIEWER | TEAM) & request.relations:
        raise Http404


def _show(request: HttpRequest, team: Team, link: str = "") -> HttpResponse:
    user = signed_in(request)
    members = [membership.user for membership in team.memberships.select_related("user").order_by("joined")]
    context = {
        "challenge": team.challenge,
        "team": team,
        "members": members,
        "is_captain": team.captain_id == user.pk,
        "has_submitted": team.submissions.filter(user=user).exists(),
        "invitations": invitations.open_invitations(Q(team=team)),
        "link": link,
        "countries": team_profile.countries(),
    }
    return render(request, "team/own.html", context)


@require_POST
def rename(request: Request[Team], team: str) -> HttpResponse:
    found = request.subject

    def act() -> str:
        renamed = teams.rename(found, request.POST.get("name", ""), actor=signed_in(request))
        return gettext("Team renamed to “%(team)s”.") % {"team": renamed.name}

    return redirect_after(request, _back(found), act)


@require_POST
def set_profile(request: Request[Team], team: str) -> HttpResponse:
    found = request.subject

    def act() -> str:
        given = {name: request.POST.get(name, "") for name in ("affiliation", "country", "link")}
        is_public = bool(request.POST.get("is_public"))
        team_profile.set_profile(found, **given, is_public=is_public, actor=signed_in(request))
        return gettext("Team profile saved.")

    return redirect_after(request, _back(found), act)


@require_POST
def invite(request: Request[Team], team: str) -> HttpResponse:
    """Render the page itself: the link is shown only in this response."""
    found = request.subject

    def act() -> str:
        _, code = invitations.invite(signed_in(request), team=found, note=request.POST.get("note", ""))
        return request.build_absolute_uri(reverse("pages:invitation", args=[code]))

    link, refused = perform(act)
    if refused:
        show_error(request, refused)
    return _show(request, found, link)


@require_POST
def take_back(request: Request[Team], team: str, invitation: str) -> HttpResponse:
    found = request.subject
    given = Invitation.objects.filter(pk=invitation, team=found).first()
    if given is not None:
        invitations.take_back(given, actor=signed_in(request))
    return redirect(_back(found))


@require_POST
def pass_captain(request: Request[Team], team: str) -> HttpResponse:
    found = request.subject

    def act() -> str:
        changed = teams.pass_captain(found, request.POST.get("username", ""), actor=signed_in(request))
        return gettext("%(user)s is now the captain.") % {"user": changed.captain.username}

    return redirect_after(request, _back(found), act)


@require_POST
def leave(request: Request[Team], team: str) -> HttpResponse:
    found = request.subject

    def act() -> str:
        own_again = teams.leave(found, actor=signed_in(request))
        return gettext("You left the team. You are now in your own team, “%(team)s”.") % {"team": own_again.name}

    return redirect_after(request, _back(found), act)


def _back(team: Team) -> str:
    return reverse("pages:own-team", args=[team.challenge.slug])


urls = [
    path("c/<slug:challenge>/team/", own, name="own-team"),
    path("teams/<str:team>/", public, name="team"),
    path("teams/<str:team>/receipts/<str:submission>.json", receipt, name="team-receipt"),
    path("teams/<str:team>/rename/", rename, name="rename-team"),
    path("teams/<str:team>/profile/", set_profile, name="set-team-profile"),
    path("teams/<str:team>/invite/", invite, name="invite-member"),
    path("teams/<str:team>/invitations/<str:invitation>/take-back/", take_back, name="revoke-member-invitation"),
    path("teams/<str:team>/captain/", pass_captain, name="pass-captain"),
    path("teams/<str:team>/leave/", leave, name="leave-team"),
]
