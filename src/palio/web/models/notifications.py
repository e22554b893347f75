"""Notifications of people: the list on the platform, the mail about it, and who wants which."""

from django.db import models
from django.utils import timezone

from palio.web.models.accounts import Team, User
from palio.web.models.challenges import Challenge
from palio.web.models.ids import LENGTH, new_id
from palio.web.models.outgoing import Outgoing
from palio.web.models.submissions import Submission


class Notification(models.Model):
    """An entry in a user's list. `key` identifies the event, so that each user is notified of it once."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=20)  # of verbs.notifications.Kind
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="+")
    submission = models.ForeignKey(Submission, models.CASCADE, null=True, related_name="+")
    text = models.TextField()  # one sentence
    path = models.CharField(max_length=200)  # of the page that it is about
    key = models.CharField(max_length=200)
    created = models.DateTimeField(default=timezone.now)
    read = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_notification_of_an_occasion")]
        indexes = [
            models.Index(fields=["user", "-created"]),
            models.Index(fields=["user"], condition=models.Q(read=None), name="unread_notifications"),
            models.Index(fields=["created"]),
        ]


class Message(models.Model):
    """A private message from organizers to participants. Those who join later do not get it."""

    class Audience(models.TextChoices):
        ALL = "all"  # participants
        TEAM = "team"
        NOT_SUBMITTED = "not-submitted"  # participants whose team has submitted nothing

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="messages")
    audience = models.CharField(max_length=16, choices=Audience)
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="+")
    title = models.CharField(max_length=200)
    text = models.TextField()  # Markdown
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    receivers = models.ManyToManyField(User, related_name="+")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created"]


class NotificationSettings(models.Model):
    """Which notifications a person has switched off. Without a row: none."""

    class Digest(models.TextChoices):
        OFF = "off"
        DAILY = "daily"
        WEEKLY = "weekly"

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="notification_settings")
    off = models.JSONField(default=list)  # `kind/channel`, such as `scored/mail`
    digest = models.CharField(max_length=8, choices=Digest, default=Digest.OFF)
    digest_until = models.DateTimeField(null=True)  # what happened until then was in a digest


class Mail(Outgoing):
    """A mail to a person, at the address that they have when it is sent."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, blank=True)  # what an unsubscribe link switches off
    subject = models.CharField(max_length=200)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_mail_about_an_occasion")]
        indexes = [models.Index(fields=["due"], condition=models.Q(state="waiting"), name="waiting_mail")]
