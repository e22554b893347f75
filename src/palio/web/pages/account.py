"""The account page of a user: challenges, sign-in, API tokens."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.web.access.tokens import SCOPES
from palio.web.http.request import Request, signed_in
from palio.web.models import ApiToken, Membership, Role
from palio.web.pages.actions import perform, redirect_after
from palio.web.verbs.tokens import make_token, revoke_token, valid_tokens

_DAYS = (7, 30, 90, 366)


def account(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    memberships = Membership.objects.filter(user=user).select_related("team", "challenge__current")
    roles = Role.objects.filter(user=user).select_related("challenge__current")
    context = {"memberships": memberships.order_by("-joined"), "roles": roles.order_by("-granted")}
    return render(request, "account/overview.html", context)


def tokens(request: HttpRequest) -> HttpResponse:
    """List and create tokens. The secret of a new token appears only in this response."""
    user, secret, refused = signed_in(request), "", None
    if request.method == "POST":

        def act() -> str:
            chosen = request.POST.get("days", "")
            days = int(chosen) if chosen.isdecimal() and len(chosen) < 6 else None
            return make_token(user, request.POST.get("name", ""), request.POST.getlist("scopes"), days=days)[1]

        secret, refused = perform(act)
    context = {
        "tokens": valid_tokens(user).order_by("-created"),
        "scopes": {scope: gettext(says) for scope, says in SCOPES.items()},
        "days": _DAYS,
        "secret": secret,
        "refused": refused,
    }
    return render(request, "account/tokens.html", context, status=refused.status if refused else 200)


@require_POST
def revoke(request: Request[ApiToken], token: str) -> HttpResponse:
    found = request.subject

    def act() -> str:
        revoke_token(found, actor=signed_in(request))
        return gettext("Token “%(name)s” revoked.") % {"name": found.name}

    return redirect_after(request, "pages:tokens", act)


urls = [
    path("account/", account, name="account"),
    path("account/tokens/", tokens, name="tokens"),
    path("account/tokens/<str:token>/revoke/", revoke, name="revoke-token"),
]
