"""People, their teams, and the keys that their programs sign in with."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from palio.web.models.ids import LENGTH, new_id


class User(AbstractUser):
    """Somebody with an account. The name is public; the address, if there is one, is not."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="one_account_for_each_address",
            )
        ]


class Team(models.Model):
    """Who takes part in a challenge. Whoever joins alone is a team of one, so that limits and ranks are per team."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey("palio.Challenge", models.PROTECT, related_name="teams")
    name = models.CharField(max_length=80)
    captain = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("challenge", Lower("name"), name="one_team_of_a_name_in_a_challenge")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's team in a challenge: one at a time."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    challenge = models.ForeignKey("palio.Challenge", models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    joined = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["challenge", "user"], name="one_team_for_a_person_in_a_challenge")
        ]


class Invitation(models.Model):
    """A link that lets its holder in once: to the platform, into a challenge, or into a team. Only its hash is kept."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    code_hash = models.CharField(max_length=64, unique=True)
    challenge = models.ForeignKey("palio.Challenge", models.CASCADE, null=True, related_name="invitations")
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="invitations")
    note = models.CharField(max_length=200, blank=True)  # for whom it is, in the words of who made it
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    used_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """What a program signs in with; shown once, kept as a hash."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    scopes = models.JSONField(default=list)  # some of access.scopes.SCOPES
    secret_hash = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)
