"""What somebody is to a challenge, a submission or a team."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from palio.web.models import (
    Attempt,
    Challenge,
    Membership,
    Registration,
    Rescore,
    Role,
    StoredFile,
    Submission,
    Team,
    Upload,
    User,
)

Visitor: TypeAlias = User | AnonymousUser


class Relation(StrEnum):
    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    PARTICIPANT = "participant"  # registered and approved in the challenge
    TEAM = "team"  # of the team that it belongs to
    CAPTAIN = "captain"  # of that team
    OWNER = "owner"  # its own: a token, an upload
    VIEWER = "viewer"
    SCORER = "scorer"
    ORGANIZER = "organizer"
    PUBLISHER = "publisher"  # may bring challenges of their own
    ADMIN = "admin"


def relations(user: Visitor, subject: Model | None = None) -> frozenset[Relation]:
    """Everything that `user` is, as far as it matters for `subject`."""
    return frozenset(_relations(user, subject))


def challenge_of(subject: Model | None) -> Challenge | None:
    match subject:
        case Challenge():
            return subject
        case Team() | Submission() | Registration() | Rescore():
            return subject.challenge
        case StoredFile() | Upload():
            return subject.team.challenge
        case Attempt():
            return subject.submission.challenge
    return None


def _team_of(subject: Model | None) -> Team | None:
    match subject:
        case Team():
            return subject
        case Submission() | StoredFile() | Upload():
            return subject.team
        case Attempt():
            return subject.submission.team
    return None


def _relations(user: Visitor, subject: Model | None) -> Iterable[Relation]:
    yield Relation.ANYONE
    if not isinstance(user, User) or not user.is_active:
        return
    yield Relation.SIGNED_IN
    if user.is_superuser:
        yield Relation.ADMIN
    if user.is_staff or user.is_superuser:
        yield Relation.PUBLISHER
    if subject is not None and getattr(subject, "user_id", None) == user.pk:
        yield Relation.OWNER
    if (team := _team_of(subject)) and Membership.objects.filter(team=team, user=user).exists():
        yield Relation.TEAM
        if team.captain_id == user.pk:
            yield Relation.CAPTAIN
    if challenge := challenge_of(subject):
        role = Role.objects.filter(challenge=challenge, user=user).values_list("kind", flat=True).first()
        if role:
            yield Relation(role)
        approved = Registration.State.APPROVED
        if Registration.objects.filter(challenge=challenge, user=user, state=approved).exists():
            yield Relation.PARTICIPANT
