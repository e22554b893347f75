"""Users, teams, invitations and API tokens."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from palio.web.models.ids import LENGTH, new_id


class User(AbstractUser):
    """A person with an account. The username is public; the e-mail address, if any, is not."""

    language = models.CharField(max_length=8, blank=True)  # of mail; empty: the platform's

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="one_account_for_each_address",
            )
        ]


class Team(models.Model):
    """A team of a challenge, to which limits and ranks apply. A person who joins on their own is a team of one."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey("palio.Challenge", models.PROTECT, related_name="teams")
    name = models.CharField(max_length=80)
    captain = models.ForeignKey(User, models.PROTECT, related_name="+")
    affiliation = models.CharField(max_length=120, blank=True)
    country = models.CharField(max_length=2, blank=True)  # ISO 3166-1 alpha-2
    link = models.CharField(max_length=300, blank=True)
    is_public = models.BooleanField(default=False)  # whether everyone sees its page
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("challenge", Lower("name"), name="one_team_of_a_name_in_a_challenge")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """The one team of a user in a challenge."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    challenge = models.ForeignKey("palio.Challenge", models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    joined = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["challenge", "user"], name="one_team_for_a_person_in_a_challenge")
        ]


class RegistryAccount(models.Model):
    """A team's account at a registry of images; its private images are pulled with it."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="registry_accounts")
    registry = models.CharField(max_length=260)  # as image names have it: ghcr.io, registry.lab.example:5000
    username = models.CharField(max_length=200)
    secret = models.TextField()  # encrypted, see verbs.registry_accounts
    saved_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    saved = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "registry"], name="one_account_of_a_team_at_a_registry")]


class Invitation(models.Model):
    """A link that admits one person once: to the platform, a challenge or a team. Only its hash is stored."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    code_hash = models.CharField(max_length=64, unique=True)
    challenge = models.ForeignKey("palio.Challenge", models.CASCADE, null=True, related_name="invitations")
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="invitations")
    note = models.CharField(max_length=200, blank=True)  # written by its creator
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    used_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """An API token. Its secret is shown once; only the hash is stored."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    scopes = models.JSONField(default=list)  # keys of access.tokens.SCOPES
    secret_hash = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)
