"""Finds the relations of a user to a challenge, a submission or a team."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Model

from palio.web.http.request import Relation
from palio.web.models import (
    Attempt,
    Challenge,
    Message,
    Registration,
    Rescore,
    StoredFile,
    Submission,
    Team,
    Upload,
    User,
)

Visitor: TypeAlias = User | AnonymousUser

# Every page of a challenge asks this. As three queries of the ORM, it took a fifth of the CPU time of a leaderboard,
# nearly all of it to write the SQL.
_AFFILIATION = """
SELECT role.kind, registration.state, team.id, team.challenge_id, team.name, team.captain_id
FROM (SELECT 1) AS one
LEFT JOIN palio_role role ON role.challenge_id = %(challenge)s AND role.user_id = %(user)s
LEFT JOIN palio_registration registration
    ON registration.challenge_id = %(challenge)s AND registration.user_id = %(user)s
LEFT JOIN palio_membership membership ON membership.challenge_id = %(challenge)s AND membership.user_id = %(user)s
LEFT JOIN palio_team team ON team.id = membership.team_id
"""
_OF_TEAM = ("id", "challenge_id", "name", "captain_id")


@dataclass(frozen=True)
class Affiliation:
    """The role of a user in a challenge, whether their registration is approved, and their team."""

    role: str | None = None
    is_participant: bool = False
    team: Team | None = None


NO_AFFILIATION = Affiliation()


def affiliation_of(user: Visitor, challenge: Challenge | None) -> Affiliation:
    """None of them without an account or a challenge."""
    if challenge is None or not isinstance(user, User):
        return NO_AFFILIATION
    with connection.cursor() as cursor:
        cursor.execute(_AFFILIATION, {"challenge": challenge.pk, "user": user.pk})
        role, registration, *team = cursor.fetchone()
    return Affiliation(
        role=role,
        is_participant=registration == Registration.State.APPROVED,
        team=None if team[0] is None else Team.from_db(connection.alias, _OF_TEAM, team),
    )


def relations(user: Visitor, subject: Model | None, affiliation: Affiliation) -> frozenset[Relation]:
    """All relations of `user` that matter for `subject`. `affiliation` is theirs to its challenge."""
    return frozenset(_relations(user, subject, affiliation))


def challenge_of(subject: Model | None) -> Challenge | None:
    match subject:
        case Challenge():
            return subject
        case Team() | Submission() | Registration() | Rescore() | Message():
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


def _relations(user: Visitor, subject: Model | None, affiliation: Affiliation) -> Iterable[Relation]:
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
    if (team := _team_of(subject)) and team == affiliation.team:
        yield Relation.TEAM
        if team.captain_id == user.pk:
            yield Relation.CAPTAIN
    if isinstance(subject, Message) and subject.receivers.filter(pk=user.pk).exists():
        yield Relation.RECEIVER
    if affiliation.role:
        yield Relation(affiliation.role)
    if affiliation.is_participant:
        yield Relation.PARTICIPANT
