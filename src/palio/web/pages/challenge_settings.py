"""Who sees a challenge, how one joins it, and who helps with it."""

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Invitation, RoleKind
from palio.web.pages.actions import doing, trying
from palio.web.verbs import challenge_settings, invitations, roles


def show(request: Request[Challenge], challenge: str) -> HttpResponse:
    return _show(request)


def _show(request: Request[Challenge], link: str = "") -> HttpResponse:
    found = request.subject
    context = {
        "challenge": found,
        "roles": found.roles.select_related("user", "granted_by").order_by("granted"),
        "visibilities": [(value.value, says) for value, says in challenge_settings.SAYS.items()],
        "joinings": [(value.value, says) for value, says in challenge_settings.JOINING_SAYS.items()],
        "kinds": [(kind.value, roles.SAYS[kind]) for kind in RoleKind],
        "invitations": invitations.open_invitations(Q(challenge=found, team=None)),
        "link": link,
    }
    return render(request, "challenge/settings.html", context)


@require_POST
def visibility(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        wanted = request.POST.get("visibility", "")
        changed = challenge_settings.set_visibility(request.subject, wanted, actor=signed_in(request))
        return f"The challenge is now {changed.visibility}."

    return doing(request, _back(request), act)


@require_POST
def joining(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        wanted = request.POST.get("joining", "")
        challenge_settings.set_joining(request.subject, wanted, actor=signed_in(request))
        return "That is how one joins from now on."

    return doing(request, _back(request), act)


@require_POST
def grant(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        username, kind = request.POST.get("username", ""), request.POST.get("kind", "")
        role = roles.grant(request.subject, username, kind, actor=signed_in(request))
        return f"{role.user.username} is now {role.kind}."

    return doing(request, _back(request), act)


@require_POST
def revoke(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        username = request.POST.get("username", "")
        roles.revoke(request.subject, username, actor=signed_in(request))
        return f"{username} has no role here any more."

    return doing(request, _back(request), act)


@require_POST
def invite(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Answers with the page itself: the link is shown once, and never again."""

    def act() -> str:
        note = request.POST.get("note", "")
        _, code = invitations.invite(signed_in(request), challenge=request.subject, note=note)
        return request.build_absolute_uri(reverse("pages:invitation", args=[code]))

    link, refused = trying(act)
    if refused:
        messages.error(request, refused)
    return _show(request, link)


@require_POST
def take_back(request: Request[Challenge], challenge: str, invitation: str) -> HttpResponse:
    given = Invitation.objects.filter(pk=invitation, challenge=request.subject, team=None).first()
    if given is not None:
        invitations.take_back(given, actor=signed_in(request))
    return redirect(_back(request))


def _back(request: Request[Challenge]) -> str:
    return reverse("pages:challenge-settings", args=[request.subject.slug])


urls = [
    path("c/<slug:challenge>/settings/", show, name="challenge-settings"),
    path("c/<slug:challenge>/settings/visibility/", visibility, name="challenge-visibility"),
    path("c/<slug:challenge>/settings/joining/", joining, name="challenge-joining"),
    path("c/<slug:challenge>/settings/roles/", grant, name="grant-role"),
    path("c/<slug:challenge>/settings/roles/revoke/", revoke, name="revoke-role"),
    path("c/<slug:challenge>/settings/invitations/", invite, name="invite-participant"),
    path("c/<slug:challenge>/settings/invitations/<str:invitation>/", take_back, name="revoke-invitation"),
]
