"""Re-scoring a phase with the current version: compare the leaderboards, then apply all new scores or none.

Its attempts are evaluated like any others, and change nothing visible until it is applied. A submission without a new
score then has none on the leaderboard: scores of two scoring programs are never mixed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.attempt.states import ENDS, State
from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Leaderboard as BundleLeaderboard
from palio.core.bundle.pick_phase import find_phase, pick_phase
from palio.core.errors import Cause, PalioError, counted
from palio.core.leaderboard.ranking import Row
from palio.web.leaderboard.entries import read_entries, read_rescored, team_names
from palio.web.leaderboard.leaderboard import Leaderboard, build_leaderboard, mark_changed
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, Challenge, Purpose, Rescore, Submission, User
from palio.web.storage.bundles import bundle_of, current_bundle
from palio.web.verbs import events, notices
from palio.web.verbs.rerun import current_version, next_number, with_predictions
from palio.web.verbs.score_changes import ScoreChange


@dataclass(frozen=True)
class RankChange:
    """A row before and after. Without `new`, it loses its score; without `old`, it had none."""

    old: Row | None
    new: Row | None

    @property
    def row(self) -> Row:
        row = self.new or self.old
        assert row is not None  # noqa: S101 - one of the leaderboards has it
        return row


@dataclass(frozen=True)
class RescoreComparison:
    """`changes` has every row, in the new order, then those that drop off.

    `failed` have no new score. Only those among them that have one now, `losing`, lose it; the others stay not scored.
    """

    old: Leaderboard
    new: Leaderboard
    changes: tuple[RankChange, ...]
    failed: tuple[Attempt, ...]
    unended: int
    refusal: PalioError | None  # why the new scores cannot be applied

    @property
    def losing(self) -> tuple[Attempt, ...]:
        return tuple(attempt for attempt in self.failed if has_score(attempt))

    @property
    def unscored(self) -> tuple[Attempt, ...]:
        return tuple(attempt for attempt in self.failed if not has_score(attempt))


def has_score(attempt: Attempt) -> bool:
    """Whether the submission of a re-scored attempt has a score that it could lose."""
    return attempt.submission.counted_id is not None


def begin(challenge: Challenge, phase_name: str, actor: User) -> Rescore:
    """Queue an attempt for every submission of the phase that has predictions and was not withdrawn.

    Raises PalioError "phase-unknown", "rescore-open" or "rescore-empty".
    """
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update().get(pk=challenge.pk)
        phase = pick_phase(current_bundle(challenge), phase_name)
        open_ones = challenge.rescores.filter(phase=phase.name, state__in=[Rescore.State.RUNNING, Rescore.State.READY])
        if open_ones.exists():
            raise PalioError("rescore-open", phase=phase.name)
        rescore = Rescore.objects.create(
            challenge=challenge, version=current_version(challenge), phase=phase.name, created_by=actor
        )
        submissions = challenge.submissions.select_for_update(of=("self",)).filter(phase=phase.name, withdrawn=None)
        count = sum(_queue(rescore, submission, actor) for submission in submissions.order_by("created"))
        if count == 0:
            raise PalioError("rescore-empty", phase=phase.name)
        events.record(
            "rescore.begun", actor=actor, challenge=challenge, rescore=rescore.id, phase=phase.name, count=count
        )
    return rescore


def boards_of(rescore: Rescore) -> tuple[BundleLeaderboard, ...]:
    """The leaderboards of its phase, as the version that it scores with has them."""
    bundle = bundle_of(rescore.version)
    return leaderboards_of(bundle, find_phase(bundle, rescore.phase))


def compare(rescore: Rescore, board: BundleLeaderboard) -> RescoreComparison:
    """A leaderboard before and after, as organizers see it, also while the re-score runs."""
    phase = pick_phase(current_bundle(rescore.challenge), rescore.phase)
    both = (read_entries(rescore.challenge, rescore.phase), read_rescored(rescore))
    names = team_names(rescore.challenge)
    old, new = (build_leaderboard(phase, board, entries, names, Visibility.ALL) for entries in both)
    before = {_line(row, old): row for row in old.rows}
    changes = [RankChange(before.pop(_line(row, new), None), row) for row in new.rows]
    changes += [RankChange(row, None) for row in before.values()]
    latest = _latest(rescore)
    failed = tuple(attempt for attempt in latest if attempt.ended and attempt.state != State.SCORED)
    unended = sum(not attempt.ended for attempt in latest)
    return RescoreComparison(old, new, tuple(changes), failed, unended, None if unended else in_the_way(latest))


def apply(rescore: Rescore, actor: User) -> None:
    """Make the new scores of all submissions count, at once.

    Raises PalioError "rescore-running", "rescore-decided", or what `in_the_way` returns.
    """
    with transaction.atomic():
        rescore = _locked(rescore, Rescore.State.READY)
        latest = _latest(rescore)
        if refusal := in_the_way(latest):
            raise refusal
        changes = []
        for attempt in latest:
            submission = Submission.objects.select_for_update().get(pk=attempt.submission_id)
            was_rescored_since = submission.counted is not None and submission.counted.number > attempt.number
            if was_rescored_since:  # re-run in the meantime, with the same version or a newer one
                continue
            is_scored = attempt.state == State.SCORED
            changes.append(ScoreChange(submission, submission.counted, attempt if is_scored else None))
            submission.counted = attempt if is_scored else None
            submission.charged = submission.charged or (is_scored and submission.migrated_from_id is None)
            submission.save(update_fields=["counted", "charged"])
        _decide(rescore, Rescore.State.APPLIED)
        mark_changed(rescore.challenge)
        events.record("rescore.applied", actor=actor, challenge=rescore.challenge, rescore=rescore.id)
        notices.rescored(rescore, changes)


def in_the_way(latest: Sequence[Attempt]) -> PalioError | None:
    """Why the new scores cannot be applied: "rescore-incomplete" after platform errors, "rescore-failed" if nobody has
    a new score and not only participants are responsible. `latest` has the latest attempt of each submission.
    """
    causes = Counter(attempt.failure_cause for attempt in latest)
    if faults := causes[Cause.PLATFORM]:
        return PalioError("rescore-incomplete", count=counted(faults, "submission"))
    is_scored = any(attempt.state == State.SCORED for attempt in latest)
    if causes[Cause.ORGANIZER] and not is_scored:
        return PalioError("rescore-failed")
    return None


def discard(rescore: Rescore, actor: User) -> None:
    """Change nothing and cancel unfinished attempts. Raises PalioError "rescore-decided"."""
    with transaction.atomic():
        rescore = _locked(rescore, Rescore.State.RUNNING, Rescore.State.READY)
        rescore.attempts.exclude(state__in=[*ENDS]).update(cancel_requested=timezone.now())
        _decide(rescore, Rescore.State.DISCARDED)
        events.record("rescore.discarded", actor=actor, challenge=rescore.challenge, rescore=rescore.id)


def _queue(rescore: Rescore, submission: Submission, actor: User) -> bool:
    source = with_predictions(submission)
    if source is None:
        return False
    attempt = Attempt.objects.create(
        submission=submission,
        number=next_number(submission),
        purpose=Purpose.RESCORE,
        version=rescore.version,
        source=source,
        rescore=rescore,
    )
    events.record("attempt.moved", actor=actor, attempt=attempt, new=State.QUEUED, why=Purpose.RESCORE)
    return True


def _latest(rescore: Rescore) -> list[Attempt]:
    """The latest attempt of each submission, which may be a retry."""
    attempts: QuerySet[Attempt] = rescore.attempts.select_related("submission__team").order_by("number")
    return list({attempt.submission_id: attempt for attempt in attempts}.values())


def _locked(rescore: Rescore, *states: Rescore.State) -> Rescore:
    rescore = Rescore.objects.select_for_update().get(pk=rescore.pk)
    if rescore.state not in states:
        if rescore.state == Rescore.State.RUNNING:
            raise PalioError("rescore-running")
        raise PalioError("rescore-decided", state=rescore.state)
    return rescore


def _decide(rescore: Rescore, state: Rescore.State) -> None:
    rescore.state, rescore.decided = state, timezone.now()
    rescore.save(update_fields=["state", "decided"])


def _line(row: Row, leaderboard: Leaderboard) -> tuple[str, str]:
    """What identifies a row on both leaderboards: the team, and the submission if the team has another row."""
    entry, ranking = row.entry, leaderboard.ranking
    has_others = entry.baseline or entry.disqualified or ranking.several or ranking.choose == "all"
    return entry.team or "", entry.label if has_others else ""
