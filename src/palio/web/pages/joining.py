"""Joining a challenge, accepting new terms, withdrawing."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Registration, User
from palio.web.pages.actions import redirect_after
from palio.web.pages.challenges import standing
from palio.web.queries.challenges import published, rendered_terms
from palio.web.verbs import joining


def join(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, version, bundle = published(request.subject)
    user = signed_in(request)
    if request.method == "POST":
        return redirect_after(
            request, reverse("pages:challenge", args=[found.slug]), lambda: _join(request, found, user)
        )
    terms = joining.terms_of(bundle)
    context = {
        "challenge": found,
        "terms": rendered_terms(found, version),
        "terms_digest": terms.digest if terms else "",
        **standing(request, found),
    }
    return render(request, "challenge/join.html", context)


def _join(request: HttpRequest, challenge: Challenge, user: User) -> str:
    digest = request.POST.get("terms", "") if request.POST.get("accepted") else ""
    registration = joining.join(challenge, user, terms_digest=digest)
    if registration.state == Registration.State.APPROVED:
        return gettext(
            "You joined the challenge in a team of your own. You can submit now, or invite others to your team."
        )
    return gettext("Join request sent. An organizer will review it.")


@require_POST
def accept_terms(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, _ = published(request.subject)
    registration = joining.registration_of(found, signed_in(request))
    if registration is None:
        return redirect("pages:join", found.slug)

    def act() -> str:
        joining.accept_terms(registration, request.POST.get("terms", ""))
        return gettext("Terms accepted.")

    return redirect_after(request, reverse("pages:challenge-terms", args=[found.slug]), act)


@require_POST
def withdraw(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, _ = published(request.subject)

    def act() -> str:
        joining.withdraw(found, signed_in(request))
        return gettext("You withdrew from the challenge. Your submissions stay until you withdraw them.")

    return redirect_after(request, reverse("pages:challenge", args=[found.slug]), act)


urls = [
    path("c/<slug:challenge>/join/", join, name="join"),
    path("c/<slug:challenge>/terms/accept/", accept_terms, name="accept-terms"),
    path("c/<slug:challenge>/withdraw/", withdraw, name="withdraw-from-challenge"),
]
