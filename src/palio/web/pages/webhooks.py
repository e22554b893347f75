"""Webhooks of a challenge, for its organizers, and of a team, for its captain: the same page with other owners."""

from collections.abc import Callable
from typing import TypeAlias

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Team, Webhook
from palio.web.pages.actions import perform, redirect_after, show_error
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries.webhooks import listed
from palio.web.verbs import webhooks

_Request: TypeAlias = Request[Challenge | Team]


class _Owner:
    """Whose webhooks a page shows."""

    def __init__(self, request: _Request) -> None:
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


@never_cache
def show(request: _Request, **_: str) -> HttpResponse:
    return _Owner(request).page()


@never_cache
@require_POST
def make(request: _Request, **_: str) -> HttpResponse:
    owner = _Owner(request)

    def act() -> str:
        url, events = request.POST.get("url", ""), request.POST.getlist("events")
        return webhooks.make(owner.challenge, owner.team, url, events, actor=signed_in(request))[1]

    return _with_secret(owner, act)


@never_cache
@require_POST
def rotate(request: _Request, webhook: str, **_: str) -> HttpResponse:
    owner = _Owner(request)
    found = owner.find(webhook)
    return _with_secret(owner, lambda: webhooks.rotate(found, actor=signed_in(request)))


@require_POST
def change(request: _Request, webhook: str, **_: str) -> HttpResponse:
    owner = _Owner(request)
    found = owner.find(webhook)

    def act() -> str:
        url, events = request.POST.get("url", ""), request.POST.getlist("events")
        webhooks.change(found, url=url, events=events, actor=signed_in(request))
        return gettext("Webhook saved.")

    return redirect_after(request, owner.back, act)


@require_POST
def delete(request: _Request, webhook: str, **_: str) -> HttpResponse:
    owner = _Owner(request)
    found = owner.find(webhook)

    def act() -> str:
        webhooks.delete(found, actor=signed_in(request))
        return gettext("Webhook deleted.")

    return redirect_after(request, owner.back, act)


@require_POST
def test(request: _Request, webhook: str, **_: str) -> HttpResponse:
    owner = _Owner(request)
    found = owner.find(webhook)

    def act() -> str:
        webhooks.send_test(found)
        return gettext("Test event queued. Reload this page in a few seconds to see the response.")

    return redirect_after(request, owner.back, act)


def _with_secret(owner: _Owner, act: Callable[[], str]) -> HttpResponse:
    secret, refused = perform(act)
    if refused:
        show_error(owner.request, refused)
    return owner.page(secret)


def _urls(kind: str, base: str) -> list[URLPattern]:
    """The same views for webhooks of either kind of owner, which the access table finds by the argument in `base`."""
    actions = {"change": change, "delete": delete, "rotate": rotate, "test": test}
    return [
        path(base, show, name=f"list-{kind}-webhooks"),
        path(f"{base}new/", make, name=f"make-{kind}-webhook"),
        *(path(f"{base}<str:webhook>/{name}/", view, name=f"{name}-{kind}-webhook") for name, view in actions.items()),
    ]


urls = [
    *_urls("challenge", "c/<slug:challenge>/settings/webhooks/"),
    *_urls("team", "teams/<str:team>/webhooks/"),
]
