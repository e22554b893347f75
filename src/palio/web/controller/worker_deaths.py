"""What happens to an attempt whose worker ended without a result: another worker continues it, or it fails.

Only deaths of the attempt's own workers count, and only with a cause: exceeding a limit or crashing because of what was
read (the second death ends the attempt, as a fault of the owner of the files that it read), and being killed from
outside (by the machine or an operator), which becomes a platform error after MAX_KILLS in one stage.
"""

from dataclasses import replace

from django.db import transaction

from palio.core.attempt.run_folder import Stage
from palio.core.errors import Cause, Failure, PalioError, counted
from palio.web.controller.lease import Lease, locked
from palio.web.controller.moves import MAX_KILLS, since_last_move
from palio.web.controller.worker import Death, WorkerEnd
from palio.web.models import Event
from palio.web.verbs import events

MAX_LIMITS = 2
KIND = "attempt.worker-ended"


def judge(identity: str, worker: str, death: Death, *, lease: Lease, token: int) -> Failure | None:
    """Record the death of this worker once; return the failure to end the attempt with, or None to continue.

    `lease` and the fencing token are those that the attempt was taken with.
    """
    with transaction.atomic():
        attempt = locked(identity, lease, token)
        own = Event.objects.filter(submission=attempt.submission, attempt=identity, kind=KIND)
        if not own.filter(detail__worker=worker).exists():
            events.record(
                KIND, actor=None, attempt=attempt, worker=worker, end=death.end, why=death.clause, stage=death.stage
            )
        counted_ones = since_last_move(attempt).filter(kind=KIND) if death.end is WorkerEnd.KILLED else own
        count = counted_ones.filter(detail__end=death.end).count()
    match death.end:
        case WorkerEnd.KILLED:
            return _killed(attempt.state, count) if count >= MAX_KILLS else None
        case WorkerEnd.LIMIT:
            return _over_limits(death) if count >= MAX_LIMITS else None
    return PalioError("evaluation-broken", stage=death.stage, reason=death.clause).failure


def _killed(stage: str, count: int) -> Failure:
    return PalioError("evaluation-killed", stage=stage, count=counted(count, "time")).failure


def _over_limits(death: Death) -> Failure:
    code = "submission-over-limits" if death.files_of is Cause.PARTICIPANT else "challenge-over-limits"
    failure = PalioError(code, stage=death.stage, reason=death.clause).failure
    touched_hidden = death.stage in {Stage.PREDICT, Stage.SCORE}
    return replace(failure, charged=failure.charged and touched_hidden)
