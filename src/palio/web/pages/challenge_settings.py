"""Settings of a challenge: visibility, registration, invitations, roles."""

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.language.words import word
from palio.web.models import Challenge, Invitation, RoleKind
from palio.web.pages.actions import perform, redirect_after, show_error
from palio.web.pages.dashboard import dashboard_context
from palio.web.verbs import challenge_settings, invitations, roles


def show(request: Request[Challenge], challenge: str) -> HttpResponse:
    return _show(request)


def _show(request: Request[Challenge], link: str = "") -> HttpResponse:
    found = request.subject
    context = {
        "challenge": found,
        "roles": found.roles.select_related("user", "granted_by").order_by("granted"),
        "visibilities": [(value.value, gettext(says)) for value, says in challenge_settings.SAYS.items()],
        "joinings": [(value.value, gettext(says)) for value, says in challenge_settings.JOINING_SAYS.items()],
        "kinds": [(kind.value, gettext(roles.SAYS[kind])) for kind in RoleKind],
        "invitations": invitations.open_invitations(Q(challenge=found, team=None)),
        "link": link,
    }
    return render(request, "challenge/settings.html", dashboard_context(request, "settings") | context)


@require_POST
def visibility(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        wanted = request.POST.get("visibility", "")
        changed = challenge_settings.set_visibility(request.subject, wanted, actor=signed_in(request))
        return gettext("The challenge is now %(visibility)s.") % {"visibility": word(changed.visibility)}

    return redirect_after(request, _back(request), act)


@require_POST
def joining(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        wanted = request.POST.get("joining", "")
        challenge_settings.set_joining(request.subject, wanted, actor=signed_in(request))
        return gettext("Registration settings saved.")

    return redirect_after(request, _back(request), act)


@require_POST
def grant(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        username, kind = request.POST.get("username", ""), request.POST.get("kind", "")
        role = roles.grant(request.subject, username, kind, actor=signed_in(request))
        return gettext("%(user)s now has the role %(role)s.") % {"user": role.user.username, "role": word(role.kind)}

    return redirect_after(request, _back(request), act)


@require_POST
def revoke(request: Request[Challenge], challenge: str) -> HttpResponse:
    def act() -> str:
        username = request.POST.get("username", "")
        roles.revoke(request.subject, username, actor=signed_in(request))
        return gettext("Role of %(user)s removed.") % {"user": username}

    return redirect_after(request, _back(request), act)


@require_POST
def invite(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Render the page itself: the link is shown only in this response."""

    def act() -> str:
        note = request.POST.get("note", "")
        _, code = invitations.invite(signed_in(request), challenge=request.subject, note=note)
        return request.build_absolute_uri(reverse("pages:invitation", args=[code]))

    link, refused = perform(act)
    if refused:
        show_error(request, refused)
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
