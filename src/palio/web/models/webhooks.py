"""Webhooks of teams and challenges, and what was sent to them."""

from django.db import models
from django.utils import timezone

from palio.web.models.accounts import Team, User
from palio.web.models.challenges import Challenge
from palio.web.models.ids import LENGTH, new_id
from palio.web.models.outgoing import Outgoing


class Webhook(models.Model):
    """An address that the platform sends events to. Without a team it belongs to the challenge."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="webhooks")
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="webhooks")
    url = models.CharField(max_length=500)
    secret = models.TextField()  # encrypted, see verbs.webhook_secrets
    events = models.JSONField(default=list)  # of verbs.webhooks.EVENTS
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)


class WebhookDelivery(Outgoing):
    """An event for one webhook. Its `id` is the same each time that it is sent."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40)
    body = models.TextField()  # JSON
    status = models.PositiveSmallIntegerField(null=True)  # of the latest response
    took_ms = models.PositiveIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due"], condition=models.Q(state="waiting"), name="waiting_deliveries"),
            models.Index(fields=["webhook", "-created"]),
        ]
