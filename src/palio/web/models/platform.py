"""Records about the platform itself: events, heartbeat, counters, idempotent responses."""

from django.db import models
from django.utils import timezone

from palio.web.models.accounts import User
from palio.web.models.challenges import Challenge
from palio.web.models.ids import LENGTH, new_id
from palio.web.models.submissions import Submission


class Event(models.Model):
    """An entry of the audit log: who did what, and why. Append-only."""

    time = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: the platform
    kind = models.CharField(max_length=60)  # in the past tense: `challenge.published`, `attempt.moved`
    challenge = models.ForeignKey(Challenge, models.PROTECT, null=True, related_name="events")
    submission = models.ForeignKey(Submission, models.PROTECT, null=True, related_name="events")
    attempt = models.CharField(max_length=16, blank=True)  # identity of the attempt
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["submission", "id"]), models.Index(fields=["challenge", "-id"])]


class ControllerBeat(models.Model):
    """The lease of a controller and its last heartbeat. Pages warn if all are old; see controller.lease."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    started = models.DateTimeField(default=timezone.now)
    time = models.DateTimeField()
    expires = models.DateTimeField(null=True)  # by the database's clock; None where a lock of the kernel decides
    process = models.CharField(max_length=80)  # empty once it has stopped
    machine = models.CharField(max_length=36, blank=True)  # its boot ID
    slots = models.PositiveIntegerField(default=0)
    engine = models.CharField(max_length=200)
    unenforced = models.JSONField(default=list)  # isolation properties that the engine does not enforce here
    trouble = models.TextField(blank=True)  # why nothing can start now, in one sentence
    named_trouble = models.JSONField(default=dict)  # the same for each engine that the operator named, by its name
    engine_check_s = models.FloatField(null=True)  # duration of the latest check that found the engine reachable


class Counter(models.Model):
    """A number that only grows. `verbs.counters` says what is counted, `queries.metrics` exports it."""

    name = models.CharField(max_length=60)
    labels = models.CharField(max_length=100)  # their values, separated by spaces
    value = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="one_counter_for_its_labels")]


class IdempotentAnswer(models.Model):
    """The response to a request with an idempotency key, sent again when the request is repeated."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    request_hash = models.CharField(max_length=64)  # of method, path and body: another request may not use the key
    status = models.PositiveSmallIntegerField(null=True)  # None while the first request is being answered
    body = models.JSONField(null=True)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="a_key_once")]
