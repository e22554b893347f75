"""A team puts a submission on the leaderboard, or takes it off, where the challenge leaves the choice to teams.

Any member of the team may choose, also after the phase is over. The choice holds for all leaderboards of the phase
that leave it to teams.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.bundle.leaderboards import leaderboards_of, ranking_of
from palio.core.bundle.model import Bundle, Phase, RankingPolicy
from palio.core.bundle.pick_phase import find_phase
from palio.core.errors import PalioError
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Challenge, Submission, Team, User
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import events


@dataclass(frozen=True)
class Choice:
    """What its team can do with a submission now."""

    is_chosen: bool
    may_put: bool
    may_take_off: bool
    replaces: bool  # putting it on the leaderboard takes another one off


def choosing(bundle: Bundle, phase: Phase | None) -> RankingPolicy | None:
    """How teams choose in this phase; None if they do not. The most generous of its leaderboards counts."""
    if phase is None:
        return None
    policies = [ranking_of(phase, board) for board in leaderboards_of(bundle, phase)]
    free = [policy for policy in policies if policy.choose == "team"]
    return max(free, key=lambda policy: (policy.several, policy.removable), default=None)


def choice_of(submission: Submission) -> Choice | None:
    """None where teams do not choose."""
    policy = _policy(submission)
    if policy is None:
        return None
    is_chosen = submission.chosen is not None
    return Choice(
        is_chosen=is_chosen,
        may_put=not is_chosen and _refusal(submission) is None,
        may_take_off=is_chosen and policy.removable,
        replaces=not policy.several and _others(submission).exists(),
    )


def put_on_leaderboard(submission: Submission, actor: User) -> None:
    """Does nothing if it is there. Takes the team's other one off if the challenge allows one per team.

    Raises PalioError "leaderboard-automatic", "submission-unscored", "submission-withdrawn" or
    "submission-disqualified".
    """
    with transaction.atomic():
        submission, policy = _locked(submission)
        if refusal := _refusal(submission):
            raise PalioError(refusal)
        if submission.chosen is not None:
            return
        replaced = [] if policy.several else list(_others(submission))
        for other in replaced:
            _set(other, chosen=False)
        _set(submission, chosen=True)
        events.record(
            "submission.put-on-leaderboard",
            actor=actor,
            submission=submission,
            replaced=[other.pk for other in replaced],
        )


def take_off_leaderboard(submission: Submission, actor: User) -> None:
    """Does nothing if it is not there. Raises PalioError "leaderboard-automatic" or "leaderboard-keeps"."""
    with transaction.atomic():
        submission, policy = _locked(submission)
        if submission.chosen is None:
            return
        if not policy.removable:
            raise PalioError("leaderboard-keeps")
        _set(submission, chosen=False)
        events.record("submission.taken-off-leaderboard", actor=actor, submission=submission)


def _locked(submission: Submission) -> tuple[Submission, RankingPolicy]:
    """The submission, after other requests of its team, and how the team chooses."""
    Team.objects.select_for_update().get(pk=submission.team_id)
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    policy = _policy(submission)
    if policy is None:
        raise PalioError("leaderboard-automatic", phase=submission.phase)
    return submission, policy


def _policy(submission: Submission) -> RankingPolicy | None:
    challenge = Challenge.objects.select_related("current").get(pk=submission.challenge_id)
    if challenge.current is None:
        return None
    bundle = current_bundle(challenge)
    return choosing(bundle, find_phase(bundle, submission.phase))


def _refusal(submission: Submission) -> str | None:
    if submission.withdrawn is not None:
        return "submission-withdrawn"
    if submission.disqualified:
        return "submission-disqualified"
    return None if submission.counted_id else "submission-unscored"


def _others(submission: Submission) -> QuerySet[Submission]:
    of_team = Submission.objects.filter(team_id=submission.team_id, phase=submission.phase, withdrawn=None)
    return of_team.exclude(pk=submission.pk).exclude(chosen=None)


def _set(submission: Submission, *, chosen: bool) -> None:
    submission.chosen = timezone.now() if chosen else None
    submission.save(update_fields=["chosen"])
    mark_changed(submission.challenge)
