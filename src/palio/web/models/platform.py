"""What the platform keeps about itself."""

from django.db import models
from django.utils import timezone

from palio.web.models.accounts import User
from palio.web.models.challenges import Challenge
from palio.web.models.submissions import Submission


class Event(models.Model):
    """Something that was done, by whom, and why. Rows are only ever added."""

    time = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: the platform itself
    kind = models.CharField(max_length=60)  # what, in the past: `challenge.published`, `attempt.moved`
    challenge = models.ForeignKey(Challenge, models.PROTECT, null=True, related_name="events")
    submission = models.ForeignKey(Submission, models.PROTECT, null=True, related_name="events")
    attempt = models.CharField(max_length=16, blank=True)  # its identity
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["submission", "id"]), models.Index(fields=["challenge", "-id"])]


class ControllerBeat(models.Model):
    """When the controller last looked at everything; one row. Pages warn if that is long ago."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    time = models.DateTimeField()
    process = models.CharField(max_length=80)
    engine = models.CharField(max_length=200)
    unenforced = models.JSONField(default=list)  # what of a job's isolation the engine does not enforce here
    trouble = models.TextField(blank=True)  # why nothing can run at the moment, in a sentence


class IdempotentAnswer(models.Model):
    """What was answered to a creation with this key, so that asking again creates nothing."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    request_hash = models.CharField(max_length=64)  # over method, path and body: another request may not use the key
    status = models.PositiveSmallIntegerField(null=True)  # None while the first is being answered
    body = models.JSONField(null=True)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="a_key_once")]
