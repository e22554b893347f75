"""What all messages that leave the platform have in common: a row with a lease, sent by the controller."""

from django.db import models
from django.utils import timezone

from palio.web.models.ids import LENGTH, new_id


class Outgoing(models.Model):
    """A message to be sent. `controller.outgoing` says what happens after a failure or a crash."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"  # given up

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    created = models.DateTimeField(default=timezone.now)
    due = models.DateTimeField(default=timezone.now)  # not sent before
    leased_until = models.DateTimeField(null=True)  # while a controller sends it
    failures = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)  # of the latest failure, in a sentence
    finished = models.DateTimeField(null=True)

    class Meta:
        abstract = True
