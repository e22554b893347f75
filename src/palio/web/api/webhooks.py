"""Webhooks of a challenge, for its organizers, and of a team, for its captain."""

from datetime import datetime
from typing import Any

from django.http import Http404
from ninja import Router, Schema, Status
from pydantic import Field

from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Team, Webhook
from palio.web.queries.webhooks import listed, shown, shown_delivery
from palio.web.verbs import webhooks

router = Router(tags=["webhooks"])


class DeliveryOut(Schema):
    """`id` is the header `webhook-id`. `due`: when it is sent (again); null once it was sent or given up."""

    id: str
    event: str
    state: str
    created: datetime
    finished: datetime | None
    failures: int
    due: datetime | None
    status: int | None
    took_ms: int | None
    error: str


class WebhookOut(Schema):
    """`deliveries`: the last ones, newest first."""

    id: str
    url: str
    events: list[str]
    created_by: str
    created: datetime
    deliveries: list[DeliveryOut]


class WebhookIn(Schema):
    url: str = Field(max_length=1000)
    events: list[str] = Field(max_length=20)


class WebhookChangeIn(Schema):
    """What is left out stays as it is."""

    url: str | None = Field(None, max_length=1000)
    events: list[str] | None = Field(None, max_length=20)


class NewWebhookOut(WebhookOut):
    """`secret` is shown only once."""

    secret: str


class SecretOut(Schema):
    """Shown only once."""

    secret: str


@router.get("/challenges/{challenge}/webhooks", response=list[WebhookOut], url_name="list-challenge-webhooks")
def list_of_challenge(request: Request[Challenge], challenge: str) -> list[dict[str, Any]]:
    return _listed(request.subject, None)


@router.post("/challenges/{challenge}/webhooks", response={201: NewWebhookOut}, url_name="make-challenge-webhook")
def make_for_challenge(request: Request[Challenge], challenge: str, content: WebhookIn) -> Status[Any]:
    return _make(request, request.subject, None, content)


@router.patch("/challenges/{challenge}/webhooks/{webhook}", response=WebhookOut, url_name="change-challenge-webhook")
def change_of_challenge(
    request: Request[Challenge], challenge: str, webhook: str, content: WebhookChangeIn
) -> dict[str, Any]:
    return _change(request, _find(request.subject, None, webhook), content)


@router.delete("/challenges/{challenge}/webhooks/{webhook}", response={204: None}, url_name="delete-challenge-webhook")
def delete_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> Status[None]:
    webhooks.delete(_find(request.subject, None, webhook), actor=signed_in(request))
    return Status(204, None)


@router.post(
    "/challenges/{challenge}/webhooks/{webhook}/secret", response=SecretOut, url_name="rotate-challenge-webhook"
)
def rotate_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> dict[str, str]:
    """Replace the secret at once."""
    return {"secret": webhooks.rotate(_find(request.subject, None, webhook), actor=signed_in(request))}


@router.post(
    "/challenges/{challenge}/webhooks/{webhook}/test", response={202: DeliveryOut}, url_name="test-challenge-webhook"
)
def test_of_challenge(request: Request[Challenge], challenge: str, webhook: str) -> Status[Any]:
    """Queue a test event; the webhook's deliveries show the response."""
    return Status(202, shown_delivery(webhooks.send_test(_find(request.subject, None, webhook))))


@router.get("/teams/{team}/webhooks", response=list[WebhookOut], url_name="list-team-webhooks")
def list_of_team(request: Request[Team], team: str) -> list[dict[str, Any]]:
    return _listed(request.subject.challenge, request.subject)


@router.post("/teams/{team}/webhooks", response={201: NewWebhookOut}, url_name="make-team-webhook")
def make_for_team(request: Request[Team], team: str, content: WebhookIn) -> Status[Any]:
    return _make(request, request.subject.challenge, request.subject, content)


@router.patch("/teams/{team}/webhooks/{webhook}", response=WebhookOut, url_name="change-team-webhook")
def change_of_team(request: Request[Team], team: str, webhook: str, content: WebhookChangeIn) -> dict[str, Any]:
    return _change(request, _find(request.subject.challenge, request.subject, webhook), content)


@router.delete("/teams/{team}/webhooks/{webhook}", response={204: None}, url_name="delete-team-webhook")
def delete_of_team(request: Request[Team], team: str, webhook: str) -> Status[None]:
    webhooks.delete(_find(request.subject.challenge, request.subject, webhook), actor=signed_in(request))
    return Status(204, None)


@router.post("/teams/{team}/webhooks/{webhook}/secret", response=SecretOut, url_name="rotate-team-webhook")
def rotate_of_team(request: Request[Team], team: str, webhook: str) -> dict[str, str]:
    """Replace the secret at once."""
    found = _find(request.subject.challenge, request.subject, webhook)
    return {"secret": webhooks.rotate(found, actor=signed_in(request))}


@router.post("/teams/{team}/webhooks/{webhook}/test", response={202: DeliveryOut}, url_name="test-team-webhook")
def test_of_team(request: Request[Team], team: str, webhook: str) -> Status[Any]:
    """Queue a test event; the webhook's deliveries show the response."""
    return Status(202, shown_delivery(webhooks.send_test(_find(request.subject.challenge, request.subject, webhook))))


def _listed(challenge: Challenge, team: Team | None) -> list[dict[str, Any]]:
    return [shown(each.webhook, each.deliveries) for each in listed(challenge, team)]


def _make(request: Request[Any], challenge: Challenge, team: Team | None, content: WebhookIn) -> Status[Any]:
    made, secret = webhooks.make(challenge, team, content.url, content.events, actor=signed_in(request))
    return Status(201, shown(made) | {"secret": secret})


def _change(request: Request[Any], found: Webhook, content: WebhookChangeIn) -> dict[str, Any]:
    return shown(webhooks.change(found, url=content.url, events=content.events, actor=signed_in(request)))


def _find(challenge: Challenge, team: Team | None, webhook: str) -> Webhook:
    found = webhooks.webhooks_of(challenge, team).filter(pk=webhook.replace("\0", "")).first()
    if found is None:
        raise Http404
    return found
