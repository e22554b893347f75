"""What counts toward a team's submission limit; the only place that decides it.

    scored      yes
    failed      if the participant is responsible and hidden data was used (core.errors says so for each failure)
    cancelled   once it has started on hidden data, if the phase shows its log: otherwise a team could print what it
                wants to know, read it and cancel, as often as it likes
    re-scored   no: an organizer asked for it
    migrated    no: the phase has taken it over

Whether a cancellation counts is decided when it is requested, so that it never counts after a promise that it does not.
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
    """Whether an attempt that ends like this counts."""
    if attempt.rescore_id is not None:  # not visible until it is applied
        return False
    if attempt.submission.migrated_from_id is not None:
        return False
    if verdict is Verdict.CANCELLED:
        return Event.objects.filter(
            submission=attempt.submission_id, attempt=attempt.identity, kind=CANCEL_ASKED, detail__counts=True
        ).exists()
    return verdict is Verdict.SCORED or (failure is not None and failure.charged)


def cancelling_counts(attempt: Attempt | None) -> bool:
    """Whether cancelling the attempt now would count."""
    if attempt is None or attempt.rescore_id is not None or attempt.state not in {State.PREDICT, State.SCORE}:
        return False
    if attempt.submission.migrated_from_id is not None:
        return False
    phase = find_phase(bundle_of(attempt.version), attempt.submission.phase)
    if phase is None:  # then no log is shown
        return False
    runs = attempt.source_id is None and attempt.submission.file.kind != SubmissionKind.RESULTS
    return (runs and phase.rules.logs_predict in _READABLE) or (
        attempt.state == State.SCORE and phase.rules.logs_score in _READABLE
    )


def cancelling_may_count(phase: Phase) -> bool:
    """Whether cancelling can count at some point of an attempt in this phase."""
    return not _READABLE.isdisjoint({phase.rules.logs_predict, phase.rules.logs_score})
