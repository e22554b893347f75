"""Counts what /metrics exports, inside the transaction of the change that is counted.

Counters are rows, so all processes agree on them, a restart loses nothing, and reading them costs the same after any
number of submissions. Count last in a transaction: these rows are shared by all attempts, so a transaction that has
changed one must not wait for other locks.
"""

import math
from datetime import timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import F

from palio.core.attempt.run_folder import Stage, Verdict
from palio.core.errors import Cause
from palio.web.models import Counter

# Upper bounds in seconds: from predictions that are scored at once to a build or a prediction of a day.
STAGE_BOUNDS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)
NOBODY = "nobody"  # has to act after this verdict


class Counted(StrEnum):
    """The names of the counters. Each comment lists the labels."""

    STAGES = "stages"  # stage, the least upper bound of its duration
    STAGE_SECONDS = "stage-seconds"  # stage
    FINISHED = "finished"  # verdict, responsible party
    RETRIES = "retries"
    LEASES_LOST = "leases-lost"
    ATTEMPTS_LOST = "attempts-lost"


def count_stage(stage: Stage, lasted: timedelta) -> None:
    """A stage that has finished, in whichever way."""
    seconds = max(lasted.total_seconds(), 0.0)  # negative if the clock was set back
    bound = next((bound for bound in STAGE_BOUNDS_S if seconds <= bound), math.inf)
    _add(Counted.STAGES, 1, stage, f"{bound:g}")
    _add(Counted.STAGE_SECONDS, seconds, stage)


def count_finished(verdict: Verdict, responsible: Cause | None = None) -> None:
    """An attempt that has finished."""
    _add(Counted.FINISHED, 1, verdict, responsible or NOBODY)


def count_retry() -> None:
    """An attempt that the platform makes after a platform error."""
    _add(Counted.RETRIES, 1)


def count_losses(*, leases: int, attempts: int) -> None:
    """Leases that expired while their controller lived, and attempts that a living controller left to others."""
    with transaction.atomic():
        for name, amount in ((Counted.LEASES_LOST, leases), (Counted.ATTEMPTS_LOST, attempts)):
            if amount:
                _add(name, amount)


def _add(name: Counted, amount: float, *labels: str) -> None:
    joined = " ".join(labels)
    found = Counter.objects.filter(name=name, labels=joined)
    if not found.update(value=F("value") + amount):
        Counter.objects.get_or_create(name=name, labels=joined)  # another transaction may do the same
        found.update(value=F("value") + amount)
