"""Teams. Submission limits and ranks are per team, so membership changes are restricted.

Every participant is in exactly one team of the challenge, at first in one of their own. A member who has submitted
cannot change teams, because that would give them another team's submissions. A member who leaves takes nothing along;
a team with submissions stays. Two whole teams can merge until one of them has submitted.
"""

from django.db import transaction

from palio.core.errors import PalioError
from palio.web.access.relations import own_team
from palio.web.models import Challenge, Membership, StoredFile, Team, User
from palio.web.verbs import events

NAME_CHARACTERS = 80


def require_team(challenge: Challenge, user: User) -> Team:
    """The team of `user`. Raises PalioError "team-missing": a participant may have just left it."""
    team = own_team(challenge, user)
    if team is None:
        raise PalioError("team-missing")
    return team


def ensure_team(challenge: Challenge, user: User) -> Team:
    """The team of `user`, or a new team of one. Needs a transaction."""
    if team := own_team(challenge, user):
        return team
    name, number = user.username[:NAME_CHARACTERS], 1
    while Team.objects.filter(challenge=challenge, name__iexact=name).exists():
        number += 1
        name = f"{user.username[: NAME_CHARACTERS - 6]} {number}"
    team = Team.objects.create(challenge=challenge, name=name, captain=user)
    Membership.objects.create(team=team, challenge=challenge, user=user)
    events.record("team.made", actor=user, challenge=challenge, team=team.id, name=name)
    return team


def rename(team: Team, name: str, *, actor: User) -> Team:
    """Raises PalioError if the name is taken in this challenge, or invalid."""
    name = " ".join(name.split())
    if not 2 <= len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise PalioError("team-name-invalid", limit=NAME_CHARACTERS)
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update().get(pk=team.challenge_id)
        if Team.objects.filter(challenge=challenge, name__iexact=name).exclude(pk=team.pk).exists():
            raise PalioError("team-name-taken", name=name)
        before, team.name = Team.objects.get(pk=team.pk).name, name
        team.save(update_fields=["name"])
        challenge.leaderboard_revision += 1
        challenge.save(update_fields=["leaderboard_revision"])
        events.record("team.renamed", actor=actor, challenge=challenge, team=team.id, before=before, name=name)
    return team


def join_team(team: Team, user: User) -> None:
    """Move a participant into `team`. Needs a transaction, and a checked invitation."""
    challenge = Challenge.objects.select_for_update().get(pk=team.challenge_id)
    before = own_team(challenge, user)
    if before is None:
        raise PalioError("not-a-participant")
    if before == team:
        raise PalioError("already-in-team", team=team.name)
    _refuse_switch(before, user)
    Membership.objects.filter(challenge=challenge, user=user).update(team=team)
    _remove_if_unused(before)
    events.record("team.joined", actor=user, challenge=challenge, team=team.id, before=before.id)


def merge_into(team: Team, captain: User) -> None:
    """Move the whole team of `captain` into `team`. Needs a transaction, and a checked invitation.

    Only before either has submitted: afterwards, the merged team would have the submissions of two. Files move along.
    """
    challenge = Challenge.objects.select_for_update().get(pk=team.challenge_id)
    before = own_team(challenge, captain)
    if before is None:
        raise PalioError("not-a-participant")
    if before == team:
        raise PalioError("already-in-team", team=team.name)
    if before.captain_id != captain.pk:
        raise PalioError("merge-not-captain", team=before.name)
    for each in (before, team):
        if each.submissions.exists():
            raise PalioError("teams-not-mergeable", team=each.name)
    former, members = before.pk, [*before.memberships.values_list("user__username", flat=True)]
    before.memberships.update(team=team)
    known = StoredFile.objects.filter(team=team, deleted=None).values("sha256")
    before.files.filter(deleted=None).exclude(sha256__in=known).update(team=team)
    before.uploads.update(team=team)
    _remove_if_unused(before)
    events.record(
        "team.merged",
        actor=captain,
        challenge=challenge,
        team=team.id,
        before=former,
        name=before.name,
        members=members,
    )


def can_merge(team: Team, user: User) -> Team | None:
    """The team that `user` would bring along into `team`: as the captain of several, before either has submitted."""
    own = own_team(team.challenge, user)
    if own is None or own == team or own.captain_id != user.pk or own.memberships.count() == 1:
        return None
    return None if own.submissions.exists() or team.submissions.exists() else own


def leave(team: Team, *, actor: User) -> Team:
    """Leave the team; returns the user's new team of one."""
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update().get(pk=team.challenge_id)
        membership = Membership.objects.filter(team=team, user=actor).first()
        if membership is None or team.memberships.count() == 1:
            raise PalioError("team-of-one")
        _refuse_captain(team, actor)
        _refuse_switch(team, actor)
        membership.delete()
        events.record("team.left", actor=actor, challenge=challenge, team=team.id)
        return ensure_team(challenge, actor)


def pass_captain(team: Team, username: str, *, actor: User) -> Team:
    """Make another member the captain."""
    with transaction.atomic():
        locked = Team.objects.select_for_update().get(pk=team.pk)
        member = locked.memberships.filter(user__username=username.replace("\0", "")).select_related("user").first()
        if member is None:
            raise PalioError("team-member-unknown", user=username)
        if member.user_id != locked.captain_id:
            locked.captain = member.user
            locked.save(update_fields=["captain"])
            events.record(
                "team.captain", actor=actor, challenge=locked.challenge, team=locked.id, captain=member.user.username
            )
    return locked


def leave_for_good(challenge: Challenge, user: User) -> None:
    """Leave the team when withdrawing from a challenge. Needs a transaction."""
    team = own_team(challenge, user)
    if team is None:
        return
    _refuse_captain(team, user)
    if team.submissions.filter(user=user).exists():
        return  # so that a returning user is in the same team, with its remaining submissions
    Membership.objects.filter(team=team, user=user).delete()
    _remove_if_unused(team)


def _refuse_captain(team: Team, user: User) -> None:
    if team.captain_id == user.pk and team.memberships.count() > 1:
        raise PalioError("captain-cannot-leave", team=team.name)


def _refuse_switch(team: Team, user: User) -> None:
    _refuse_captain(team, user)
    if team.submissions.filter(user=user).exists():
        raise PalioError("team-fixed", team=team.name)


def _remove_if_unused(team: Team) -> None:
    used = team.submissions.exists() or team.files.exists() or team.uploads.exists()
    if not used and not team.memberships.exists():
        team.delete()
