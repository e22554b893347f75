"""Webhooks with their last deliveries, shared by pages and API. Without secrets."""

from collections.abc import Iterable
from dataclasses import dataclass

from palio.web.models import Challenge, Team, Webhook, WebhookDelivery
from palio.web.verbs.webhooks import webhooks_of

SHOWN = 10


@dataclass(frozen=True)
class ShownWebhook:
    webhook: Webhook
    deliveries: list[WebhookDelivery]  # newest first


def listed(challenge: Challenge, team: Team | None) -> list[ShownWebhook]:
    return [ShownWebhook(webhook, _last(webhook)) for webhook in webhooks_of(challenge, team)]


def shown(found: Webhook, deliveries: Iterable[WebhookDelivery] | None = None) -> dict[str, object]:
    return {
        "id": found.pk,
        "url": found.url,
        "events": found.events,
        "created_by": found.created_by.username,
        "created": found.created,
        "deliveries": [shown_delivery(each) for each in (_last(found) if deliveries is None else deliveries)],
    }


def shown_delivery(found: WebhookDelivery) -> dict[str, object]:
    return {
        "id": f"msg_{found.pk}",
        "event": found.event,
        "state": found.state,
        "created": found.created,
        "finished": found.finished,
        "failures": found.failures,
        "due": found.due if found.state == WebhookDelivery.State.WAITING else None,
        "status": found.status,
        "took_ms": found.took_ms,
        "error": found.error,
    }


def _last(webhook: Webhook) -> list[WebhookDelivery]:
    return list(webhook.deliveries.order_by("-created", "-pk")[:SHOWN])
