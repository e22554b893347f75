"""Finds the relations of a user to a challenge, a submission or a team."""

from collections.abc import Iterable
from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from palio.web.http.request import Relation
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


def relations(user: Visitor, subject: Model | None = None) -> frozenset[Relation]:
    """All relations of `user` that matter for `subject`."""
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


def own_team(challenge: Challenge, user: Visitor) -> Team | None:
    """The team of `user` in this challenge."""
    if not isinstance(user, User):
        return None
    return Team.objects.filter(challenge=challenge, memberships__user=user).select_related("captain").first()


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
