"""Writes the moves of an attempt: one legal move per transaction, with time and cause in an event.

Each move locks the row, starts from its current state, and requires the fencing token that the attempt was taken with
(see lease). A finished attempt never moves again, so its result is committed exactly once: a controller killed after
the commit finds the row finished; one killed before it finds the verdict in the run folder and commits that.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.attempt.run_folder import Stage, Verdict
from palio.core.attempt.states import ENDS, RUNNING, State, may_move
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.lease import Lease, locked, take
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Attempt, Event, Purpose, Rescore
from palio.web.verbs import counters, events, notices, quota
from palio.web.verbs.queue import LONGEST_WAIT
from palio.web.verbs.rerun import next_number

BACKOFF = (timedelta(seconds=10), timedelta(minutes=1), LONGEST_WAIT)  # before each retry
MAX_KILLS = 5  # of the controller while handling this attempt, per stage


class IllegalMoveError(Exception):
    """A bug: no caller may ask for this move."""


def begin(identity: str, state: State, *, lease: Lease, engine: str, deadline: datetime) -> int | None:
    """Take it from the queue into the first stage and return its token; None if it left the queue or is not to run."""
    with transaction.atomic():
        attempt = take(identity, lease)
        if attempt is None or attempt.state != State.QUEUED or attempt.cancel_requested:
            return None
        attempt.engine, attempt.started = engine, timezone.now()
        _move(attempt, state, attempt.started, why="slot free", deadline=deadline)
    return attempt.fencing_token


def advance(identity: str, stage: Stage, *, lease: Lease, token: int, since: datetime, deadline: datetime) -> None:
    """Move into a stage that has started."""
    with transaction.atomic():
        attempt = locked(identity, lease, token)
        old, reached = State(attempt.state), attempt.moved
        _move(attempt, State(stage.value), since, why=f"stage {old} finished", deadline=deadline)
        _count_stage(old, since - reached)


def take_up(identity: str, *, lease: Lease, after_kill: bool, deadline: datetime) -> tuple[int, bool] | None:
    """Take an attempt that another process evaluated; None if it is not free any more.

    Returns its token, and whether too many processes were killed in this stage. `after_kill`: the previous one was
    killed while handling this attempt. The deadline restarts, because nobody has watched the attempt in the meantime.
    """
    with transaction.atomic():
        attempt = take(identity, lease)
        if attempt is None or attempt.state not in RUNNING:
            return None
        kills = since_last_move(attempt).filter(kind="attempt.taken-up", detail__after="kill")
        is_over = after_kill and kills.count() >= MAX_KILLS
        attempt.deadline = deadline
        attempt.save(update_fields=["deadline", "holder", "fencing_token"])
        if not is_over:
            after = "kill" if after_kill else "stop"
            events.record("attempt.taken-up", actor=None, attempt=attempt, state=attempt.state, after=after)
    return attempt.fencing_token, is_over


def since_last_move(attempt: Attempt) -> QuerySet[Event]:
    """What happened to the attempt in its current state: by order, as the clock may have been turned since."""
    of_attempt = Event.objects.filter(submission=attempt.submission, attempt=attempt.identity)
    last = of_attempt.filter(kind="attempt.moved").order_by("-pk").values("pk")[:1]
    return of_attempt.filter(pk__gt=last)


def end(identity: str, outcome: Outcome, *, lease: Lease, token: int) -> None:
    """Commit the result and everything that follows from it."""
    with transaction.atomic():
        attempt = locked(identity, lease, token)
        attempt.holder = None
        old, reached = State(attempt.state), attempt.moved
        submission = attempt.submission
        earlier = _earlier_in_a_row(attempt) if outcome.is_retried else []
        attempts = len(earlier) + 1
        same = outcome.again_after(earlier)
        is_retried = outcome.is_retried and attempts <= len(BACKOFF) and not same and _is_wanted(attempt)
        if outcome.is_retried and not is_retried and attempts > 1:
            outcome = outcome.as_last(attempts, same)
        attempt.scores = dict(outcome.scores) if outcome.scores is not None else None
        if outcome.failure is not None and outcome.shown is not None:
            attempt.failure, attempt.failure_shown = outcome.failure.as_json(), outcome.shown.as_json()
            attempt.failure_code, attempt.failure_cause = outcome.failure.code, outcome.failure.cause
        attempt.finished = timezone.now()
        is_charged = quota.is_charged(attempt, outcome.verdict, outcome.failure)
        _move(attempt, State(outcome.verdict.value), attempt.finished, why=_why(outcome), charged=is_charged)
        if attempt.rescore_id is None:
            if outcome.verdict is Verdict.SCORED:
                submission.counted = attempt
            # A new attempt replaces what an earlier one counted for, unless its score still counts.
            scored_before = submission.counted_id is not None and submission.migrated_from_id is None
            submission.charged = is_charged or scored_before
            submission.save(update_fields=["counted", "charged"])
            mark_changed(submission.challenge)
            if not is_retried:
                notices.finished(attempt)
        if is_retried:
            _retry(attempt, attempts)
        if attempt.rescore_id is not None:
            _note_ready(attempt.rescore_id)
        _count_stage(old, attempt.finished - reached)
        counters.count_finished(outcome.verdict, outcome.failure.cause if outcome.failure else None)
        if is_retried:
            counters.count_retry()


def _count_stage(old: State, lasted: timedelta) -> None:
    if old in RUNNING:
        counters.count_stage(Stage(old.value), lasted)


def _move(
    attempt: Attempt, new: State, when: datetime, *, why: str, deadline: datetime | None = None, charged: bool = False
) -> None:
    old = State(attempt.state)
    if not may_move(old, new):
        raise IllegalMoveError(f"{attempt.identity}: from {old} to {new}")
    attempt.state, attempt.moved, attempt.deadline = new, when, deadline
    attempt.save()
    events.record("attempt.moved", actor=None, attempt=attempt, old=old, new=new, why=why, charged=charged)


def _why(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return outcome.failure.code
    return "scores read" if outcome.verdict is Verdict.SCORED else "cancelled"


def _earlier_in_a_row(attempt: Attempt) -> list[Attempt]:
    """The attempts before this one since somebody last asked for a run, latest first."""
    attempts = attempt.submission.attempts.filter(
        number__lte=attempt.number, rescore=attempt.rescore_id, source=attempt.source_id
    ).order_by("-number")
    asked = next((n for n, each in enumerate(attempts) if each.purpose != Purpose.RETRY), len(attempts))
    return list(attempts[1 : asked + 1])


def _is_wanted(attempt: Attempt) -> bool:
    submission = attempt.submission
    discarded = attempt.rescore is not None and attempt.rescore.state == Rescore.State.DISCARDED
    return not (attempt.cancel_requested or submission.withdrawn or submission.disqualified or discarded)


def _retry(attempt: Attempt, attempts: int) -> None:
    again = Attempt.objects.create(
        submission=attempt.submission,
        number=next_number(attempt.submission),
        purpose=Purpose.RETRY,
        version=attempt.version,
        source=attempt.source,
        rescore=attempt.rescore,
        not_before=timezone.now() + BACKOFF[attempts - 1],
    )
    why = f"{attempt.failure_code} of {attempt.identity}"
    events.record("attempt.moved", actor=None, attempt=again, new=State.QUEUED, why=why)


def _note_ready(rescore: str) -> None:
    """Mark the re-score as ready for comparison once all its attempts have finished."""
    Rescore.objects.select_for_update().get(pk=rescore)
    if not Attempt.objects.filter(rescore=rescore).exclude(state__in=[*ENDS]).exists():
        Rescore.objects.filter(pk=rescore, state=Rescore.State.RUNNING).update(state=Rescore.State.READY)
