"""Accounts, for operators: reset links, deactivation, publishing rights, invitations."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.web.http.request import signed_in
from palio.web.models import Invitation, User
from palio.web.pages.actions import perform, show_error
from palio.web.verbs import accounts, invitations

_ON_A_PAGE = 100


def show(request: HttpRequest) -> HttpResponse:
    return _show(request)


def _show(request: HttpRequest, link: str = "", link_is: str = "") -> HttpResponse:
    sought = request.GET.get("q", "").strip().replace("\0", "")
    found = User.objects.order_by("username").annotate(
        has_second_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk")))
    )
    if sought:
        found = found.filter(Q(username__icontains=sought) | Q(email__icontains=sought))
    page = Paginator(found, _ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "sought": sought,
        "invitations": invitations.open_invitations(Q(challenge=None, team=None)),
        "link": link,
        "link_is": link_is,
    }
    return render(request, "operate/accounts.html", context)


@require_POST
def change(request: HttpRequest, name: str) -> HttpResponse:
    """`do` is the action. A reset link is shown only in this response."""
    person, actor, link = get_object_or_404(User, username=name), signed_in(request), ""

    def act() -> str:
        nonlocal link
        match request.POST.get("do"):
            case "reset":
                link = request.build_absolute_uri(accounts.reset_link(person, actor=actor))
                return ""
            case "off" | "on" as wanted:
                accounts.set_active(person, wanted == "on", actor=actor)
                form = (
                    gettext("Account %(user)s reactivated.")
                    if wanted == "on"
                    else gettext("Account %(user)s deactivated.")
                )
                return form % {"user": person.username}
            case "no-second-factor":
                accounts.remove_second_factors(person, actor=actor)
                return gettext("Two-factor authentication of %(user)s removed.") % {"user": person.username}
            case "may-publish" | "may-not-publish" as wanted:
                accounts.set_publisher(person, wanted == "may-publish", actor=actor)
                may, may_not = (
                    gettext("%(user)s can now publish challenges."),
                    gettext("%(user)s can no longer publish challenges."),
                )
                return (may if wanted == "may-publish" else may_not) % {"user": person.username}
        return ""

    said, refused = perform(act)
    if link:
        said = gettext("Password reset link for %(user)s, valid once within three days") % {"user": person.username}
        return _show(request, link, said)
    if refused:
        show_error(request, refused)
    elif said:
        messages.success(request, said)
    return redirect("pages:accounts")


@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    def act() -> str:
        _, code = invitations.invite(signed_in(request), note=request.POST.get("note", ""))
        return request.build_absolute_uri(reverse("pages:invitation", args=[code]))

    link, refused = perform(act)
    if refused:
        show_error(request, refused)
    return _show(request, link, gettext("Invitation link for one account, valid once within two weeks"))


@require_POST
def take_back(request: HttpRequest, invitation: str) -> HttpResponse:
    given = Invitation.objects.filter(pk=invitation, challenge=None, team=None).first()
    if given is not None:
        invitations.take_back(given, actor=signed_in(request))
    return redirect("pages:accounts")


urls = [
    path("operate/accounts/", show, name="accounts"),
    path("operate/accounts/invitations/", invite, name="invite-account"),
    path("operate/accounts/invitations/<str:invitation>/", take_back, name="revoke-account-invitation"),
    path("operate/accounts/change/<str:name>/", change, name="change-account"),
]
