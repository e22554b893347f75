"""Webhooks of a challenge, for its organizers, and of a team, for its captain: the same page with other owners."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Team, Webhook
from palio.web.pages.actions import perform, redirect_after, show_error
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries.webhooks import listed
from palio.web.verbs import webhooks


class _Owner:
    """Whose webhooks a page shows."""

    def __init__(self, request: Request[Challenge] | Request[Team]) -> None:
        subject = request.subject
        self.request = request
        self.team = subject if isinstance(subject, Team) else None
        self.challenge = subject.challenge if isinstance(subject, Team) else subject
        self.kind = "challenge" if self.team is None else "team"
        self.key = self.challenge.slug if self.team is None else self.team.pk

    @property
    def back(self) -> str:
        return reverse(f"pages:list-{self.kind}-webhooks", args=[self.key])

    def find(self, webhook: str) -> Webhook:
        found = webhooks.webhooks_of(self.challenge, self.team).filter(pk=webhook).first()
        if found is None:
            raise Http404
        return found

    def url(self, action: str, webhook: str) -> str:
        return reverse(f"pages:{action}-{self.kind}-webhook", args=[self.key, webhook])

    def page(self, secret: str = "") -> HttpResponse:
        """`secret` is shown only in this response."""
        rows = [
            {
                "webhook": each.webhook,
                "deliveries": each.deliveries,
                "urls": {
                    action: self.url(action, each.webhook.pk) for action in ("change", "delete", "rotate", "test")
                },
            }
            for each in listed(self.challenge, self.team)
        ]
        events = [(event, gettext(webhooks.EVENTS[event])) for event in webhooks.events_for(self.team)]
        context = {
            "challenge": self.challenge,
            "team": self.team,
            "rows": rows,
            "events": events,
            "secret": secret,
            "most": webhooks.MOST,
            "new_url": reverse(f"pages:make-{self.kind}-webhook", args=[self.key]),
        }
        if self.team is None:
            return render(
                self.request, "webhooks/challenge.html", dashboard_context(self.request, "settings") | context
            )
        return render(self.request, "webhooks/team.html", context)


def _make(request: HttpRequest, owner: _Owner) -> HttpResponse:
    def act() -> str:
        url, events = request.POST.get("url", ""), request.POST.getlist("events")
        return webhooks.make(owner.challenge, owner.team, url, events, actor=signed_in(request))[1]

    return _with_secret(owner, act)


def _rotate(request: HttpRequest, owner: _Owner, webhook: str) -> HttpResponse:
    found = owner.find(webhook)
    return _with_secret(owner, lambda: webhooks.rotate(found, actor=signed_in(request)))


def _with_secret(owner: _Owner, act: Callable[[], str]) -> HttpResponse:
    secret, refused = perform(act)
    if refused:
        show_error(owner.request, refused)
    return owner.page(secret)


def _change(request: HttpRequest, owner: _Owner, webhook: str) -> HttpResponse:
    found = owner.find(webhook)

    def act() -> str:
        url, events = request.POST.get("url", ""), request.POST.getlist("events")
        webhooks.change(found, url=url, events=events, actor=signed_in(request))
        return gettext("Webhook saved.")

    return redirect_after(request, owner.back, act)


def _delete(request: HttpRequest, owner: _Owner, webhook: str) -> HttpResponse:
    found = owner.find(webhook)

    def act() -> str:
        webhooks.delete(found, actor=signed_in(request))
        return gettext("Webhook deleted.")

    return redirect_after(request, owner.back, act)


def _test(request: HttpRequest, owner: _Owner, webhook: str) -> HttpResponse:
    found = owner.find(webhook)

    def act() -> str:
        webhooks.send_test(found)
        return gettext("Test event queued. Reload this page in a few seconds to see the response.")

    return redirect_after(request, owner.back, act)


@never_cache
def of_challenge(request: Request[Challenge], challenge: str) -> HttpResponse:
    return _Owner(request).page()


@never_cache
@require_POST
def make_for_challenge(request: Request[Challenge], challenge: str) -> HttpResponse:
    return _make(request, _Owner(request))


@require_POST
def change_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> HttpResponse:
    return _change(request, _Owner(request), webhook)


@require_POST
def delete_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> HttpResponse:
    return _delete(request, _Owner(request), webhook)


@never_cache
@require_POST
def rotate_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> HttpResponse:
    return _rotate(request, _Owner(request), webhook)


@require_POST
def test_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> HttpResponse:
    return _test(request, _Owner(request), webhook)


@never_cache
def of_team(request: Request[Team], team: str) -> HttpResponse:
    return _Owner(request).page()


@never_cache
@require_POST
def make_for_team(request: Request[Team], team: str) -> HttpResponse:
    return _make(request, _Owner(request))


@require_POST
def change_of_team(request: Request[Team], team: str, webhook: str) -> HttpResponse:
    return _change(request, _Owner(request), webhook)


@require_POST
def delete_of_team(request: Request[Team], team: str, webhook: str) -> HttpResponse:
    return _delete(request, _Owner(request), webhook)


@never_cache
@require_POST
def rotate_of_team(request: Request[Team], team: str, webhook: str) -> HttpResponse:
    return _rotate(request, _Owner(request), webhook)


@require_POST
def test_of_team(request: Request[Team], team: str, webhook: str) -> HttpResponse:
    return _test(request, _Owner(request), webhook)


_CHALLENGE, _TEAM = "c/<slug:challenge>/settings/webhooks/", "teams/<str:team>/webhooks/"
urls = [
    path(_CHALLENGE, of_challenge, name="list-challenge-webhooks"),
    path(f"{_CHALLENGE}new/", make_for_challenge, name="make-challenge-webhook"),
    path(f"{_CHALLENGE}<str:webhook>/change/", change_of_challenge, name="change-challenge-webhook"),
    path(f"{_CHALLENGE}<str:webhook>/delete/", delete_of_challenge, name="delete-challenge-webhook"),
    path(f"{_CHALLENGE}<str:webhook>/rotate/", rotate_of_challenge, name="rotate-challenge-webhook"),
    path(f"{_CHALLENGE}<str:webhook>/test/", test_of_challenge, name="test-challenge-webhook"),
    path(_TEAM, of_team, name="list-team-webhooks"),
    path(f"{_TEAM}new/", make_for_team, name="make-team-webhook"),
    path(f"{_TEAM}<str:webhook>/change/", change_of_team, name="change-team-webhook"),
    path(f"{_TEAM}<str:webhook>/delete/", delete_of_team, name="delete-team-webhook"),
    path(f"{_TEAM}<str:webhook>/rotate/", rotate_of_team, name="rotate-team-webhook"),
    path(f"{_TEAM}<str:webhook>/test/", test_of_team, name="test-team-webhook"),
]
