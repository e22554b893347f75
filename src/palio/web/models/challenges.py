"""Challenges, their versions, roles and registrations."""

from django.db import models
from django.utils import timezone

from palio.web.models.accounts import User
from palio.web.models.ids import LENGTH, new_id


class Challenge(models.Model):
    """A published bundle under its own name. Its content is that of the current version."""

    class Visibility(models.TextChoices):
        DRAFT = "draft"  # visible only to its organizers
        PUBLISHED = "published"
        ARCHIVED = "archived"  # read-only

    class Joining(models.TextChoices):
        OPEN = "open"
        APPROVAL = "approval"
        INVITATION = "invitation"

    slug = models.SlugField(max_length=60, unique=True)
    visibility = models.CharField(max_length=12, choices=Visibility, default=Visibility.DRAFT)
    joining = models.CharField(max_length=12, choices=Joining, default=Joining.OPEN)
    current = models.ForeignKey("palio.ChallengeVersion", models.PROTECT, null=True, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    leaderboard_revision = models.PositiveBigIntegerField(
        default=0
    )  # incremented by every change of any of its leaderboards

    def __str__(self) -> str:
        return self.slug


class ChallengeVersion(models.Model):
    """A bundle as published: immutable, identified by the digest of all its files, including hidden data."""

    challenge = models.ForeignKey(Challenge, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    changes = models.JSONField(default=list)  # from the previous version: [{what, old, new}]
    note = models.TextField(blank=True)
    published_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    published = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["challenge", "number"], name="one_version_of_a_number")]
        ordering = ["number"]


class RoleKind(models.TextChoices):
    """The role of a person in a challenge, in addition to or instead of being a participant."""

    ORGANIZER = "organizer"  # may do everything in this challenge
    SCORER = "scorer"  # sees submissions and failures, re-runs and re-scores
    VIEWER = "viewer"  # sees what an organizer sees, read-only


class Role(models.Model):
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="roles")
    user = models.ForeignKey(User, models.CASCADE, related_name="roles")
    kind = models.CharField(max_length=12, choices=RoleKind)
    granted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    granted = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["challenge", "user"], name="one_role_for_a_person_in_a_challenge")
        ]


class Registration(models.Model):
    """A person's join request, the decision on it, and the terms they accepted."""

    class State(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="registrations")
    user = models.ForeignKey(User, models.PROTECT, related_name="registrations")
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    terms_version = models.ForeignKey(ChallengeVersion, models.PROTECT, null=True, related_name="+")
    terms_digest = models.CharField(max_length=64, blank=True)  # of the accepted text
    terms_accepted = models.DateTimeField(null=True)
    created = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["challenge", "user"], name="one_registration_for_a_person")]


class Announcement(models.Model):
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="announcements")
    title = models.CharField(max_length=200)
    text = models.TextField()
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created"]
