"""What uses up one of a team's tries: the one place that says so.

    scored      yes
    failed      by the participant's own fault after hidden data was touched (core/errors has it for each failure)
    cancelled   once it has begun on hidden data, where the phase shows any of the log of that: else a team could print
                what it wants to know, read it, cancel, and do so as often as it likes
    re-scored   no: an organizer asked for that

Whether a cancellation counts is decided when it is asked for, so that nobody pays for what they were told is free.
"""

from palio.core.attempt.run_folder import Verdict
from palio.core.attempt.states import State
from palio.core.bundle.model import LogPolicy, Phase, SubmissionKind
from palio.core.bundle.pick_phase import find_phase
from palio.core.errors import Failure
from palio.web.models import Attempt, Event
from palio.web.storage.bundles import bundle_of

CANCEL_ASKED = "attempt.cancel-requested"
_READABLE = frozenset({LogPolicy.TAIL, LogPolicy.FULL})


def is_charged(attempt: Attempt, verdict: Verdict, failure: Failure | None) -> bool:
    """Whether an attempt that ends so uses up a try."""
    if attempt.rescore_id is not None:  # until it is applied, nothing of it shows
        return False
    if verdict is Verdict.CANCELLED:
        return Event.objects.filter(
            submission=attempt.submission_id, attempt=attempt.identity, kind=CANCEL_ASKED, detail__counts=True
        ).exists()
    return verdict is Verdict.SCORED or (failure is not None and failure.charged)


def cancelling_counts(attempt: Attempt | None) -> bool:
    """Whether cancelling it now would use up a try."""
    if attempt is None or attempt.rescore_id is not None or attempt.state not in {State.PREDICT, State.SCORE}:
        return False
    phase = find_phase(bundle_of(attempt.version), attempt.submission.phase)
    if phase is None:  # then no log is shown either
        return False
    runs = attempt.source_id is None and attempt.submission.file.kind != SubmissionKind.RESULTS
    return (runs and phase.rules.logs_predict in _READABLE) or (
        attempt.state == State.SCORE and phase.rules.logs_score in _READABLE
    )


def cancelling_may_count(phase: Phase) -> bool:
    """Whether there is a moment from which on cancelling uses up a try."""
    return not _READABLE.isdisjoint({phase.rules.logs_predict, phase.rules.logs_score})
