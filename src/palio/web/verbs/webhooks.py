"""Webhooks of a team or a challenge: creating, changing, testing, rotating the secret, and the events for them.

Events are written in the transaction of what they report; the controller sends them. They contain no scores: programs
ask the API, which knows who may see them.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from palio.core.errors import PalioError
from palio.web.http.public_address import UnfitAddressError, public_addresses, read_url
from palio.web.models import Challenge, Team, User, Webhook, WebhookDelivery
from palio.web.verbs import events as audit
from palio.web.verbs.webhook_secrets import encrypted, new_secret

MOST = 5  # of a team, and of a challenge
TEST = "webhook.test"
SCORED, FAILED = "submission.scored", "submission.failed"
RESCORED, DISQUALIFIED, REINSTATED = "rescore.applied", "submission.disqualified", "submission.reinstated"
ANNOUNCED, CLOSES, DECIDED = "announcement.made", "phase.closes-soon", "registration.decided"
EVENTS: Mapping[str, str] = {
    SCORED: gettext_noop("A submission was scored"),
    FAILED: gettext_noop("A submission failed"),
    RESCORED: gettext_noop("The new scores of a re-score were applied"),
    DISQUALIFIED: gettext_noop("A submission was disqualified"),
    REINSTATED: gettext_noop("A submission was reinstated"),
    ANNOUNCED: gettext_noop("An announcement was posted"),
    CLOSES: gettext_noop("A phase closes within 24 hours"),
    DECIDED: gettext_noop("A join request was approved or refused"),  # only for the challenge
}


def events_for(team: Team | None) -> tuple[str, ...]:
    """The events that a webhook of this owner can get."""
    return tuple(event for event in EVENTS if team is None or event != DECIDED)


def webhooks_of(challenge: Challenge, team: Team | None) -> QuerySet[Webhook]:
    return Webhook.objects.filter(challenge=challenge, team=team).select_related("created_by").order_by("created", "id")


def make(
    challenge: Challenge, team: Team | None, url: str, events: Collection[str], *, actor: User
) -> tuple[Webhook, str]:
    """Returns it with its secret, which is never shown again. Raises PalioError."""
    url, chosen = _checked_url(url), _checked_events(events, team)
    secret = new_secret()
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)
        if webhooks_of(challenge, team).count() >= MOST:
            raise PalioError("webhooks-too-many", limit=MOST)
        made = Webhook.objects.create(
            challenge=challenge, team=team, url=url, events=chosen, secret=encrypted(secret), created_by=actor
        )
        _record("webhook.made", made, actor, url=url, events=chosen)
    return made, secret


def change(webhook: Webhook, *, url: str | None = None, events: Collection[str] | None = None, actor: User) -> Webhook:
    """Raises PalioError."""
    new_url = webhook.url if url is None or url == webhook.url else _checked_url(url)
    chosen = webhook.events if events is None else _checked_events(events, webhook.team)
    with transaction.atomic():
        locked = Webhook.objects.select_for_update().get(pk=webhook.pk)
        locked.url, locked.events = new_url, chosen
        locked.save(update_fields=["url", "events"])
        _record("webhook.changed", locked, actor, url=new_url, events=chosen)
    return locked


def rotate(webhook: Webhook, *, actor: User) -> str:
    """Replace the secret; returns the new one, which is never shown again."""
    secret = new_secret()
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(secret=encrypted(secret))
        _record("webhook.secret-rotated", webhook, actor)
    return secret


def delete(webhook: Webhook, *, actor: User) -> None:
    with transaction.atomic():
        _record("webhook.deleted", webhook, actor, url=webhook.url)
        webhook.delete()


def send_test(webhook: Webhook) -> WebhookDelivery:
    """Queue an event without content. Raises PalioError "webhook-test-waiting" while another one waits."""
    with transaction.atomic():
        Webhook.objects.select_for_update().get(pk=webhook.pk)
        if webhook.deliveries.filter(event=TEST, state=WebhookDelivery.State.WAITING).exists():
            raise PalioError("webhook-test-waiting")
        return _write(webhook, TEST, {})


def emit(event: str, challenge: Challenge, data: Mapping[str, Any], *, team: Team | None = None) -> None:
    """Write the event for the webhooks of the challenge and of `team`; without one, of all its teams.

    Needs a transaction.
    """
    _emit(event, challenge, data, Q() if team is None else Q(team=None) | Q(team=team))


def emit_to(owner: Team | None, event: str, challenge: Challenge, data: Mapping[str, Any]) -> None:
    """Write the event only for the webhooks of the team, or of the challenge. Needs a transaction."""
    _emit(event, challenge, data, Q(team=owner))


def _emit(event: str, challenge: Challenge, data: Mapping[str, Any], owners: Q) -> None:
    for webhook in Webhook.objects.filter(owners, challenge=challenge).select_related("challenge"):
        if event in webhook.events:
            _write(webhook, event, data)


def _write(webhook: Webhook, event: str, data: Mapping[str, Any]) -> WebhookDelivery:
    now = timezone.now()
    content = {"type": event, "timestamp": now.isoformat(), "data": {"challenge": webhook.challenge.slug, **data}}
    return WebhookDelivery.objects.create(webhook=webhook, event=event, body=json.dumps(content), created=now, due=now)


def _checked_url(url: str) -> str:
    url = url.strip()
    try:
        target = read_url(url, allow_http=settings.CONFIGURATION.webhook_http)
        public_addresses(target.host, target.port)
    except UnfitAddressError as error:
        raise PalioError("webhook-url-refused", url=url[:100], reason=error) from error
    return url


def _checked_events(events: Collection[str], team: Team | None) -> list[str]:
    known = events_for(team)
    for event in events:
        if event not in known:
            allowed = ", ".join(f"`{each}`" for each in known)
            raise PalioError("value-unknown", value=event[:100], allowed=allowed)
    if not events:
        raise PalioError("webhook-without-events")
    return [event for event in known if event in events]


def _record(kind: str, webhook: Webhook, actor: User, **detail: Any) -> None:
    team = webhook.team_id or ""
    audit.record(kind, actor=actor, challenge=webhook.challenge, webhook=webhook.pk, team=team, **detail)
