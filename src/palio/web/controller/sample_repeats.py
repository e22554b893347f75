"""Runs public cases a second time while nothing else is to be done, and notes whether the predictions differ.

Once for each file that was submitted to a phase, after it was scored, with the same image and limits, in a run folder
that belongs to no attempt. An attempt never waits for it: as soon as one is due, the second run is ended and its place
is free; it is repeated when the platform is idle again. A second run that a kill interrupted continues.

For organizers only (queries.sample_repeats). Not covered: a busy platform, which never gets to it; a submission that
ran on an engine that the platform no longer uses.
"""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from django.utils import timezone

from palio.core.attempt.run_folder import RunFolder, Stage, Verdict
from palio.core.attempt.sample_differences import sample_differences
from palio.core.attempt.states import State
from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.errors import Cause, PalioError
from palio.web.config.data_folder import Folders
from palio.web.controller.active_attempt import UNANSWERED_S
from palio.web.controller.assign import assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.background import in_thread
from palio.web.controller.engines import Found
from palio.web.controller.pools import Pools
from palio.web.controller.requirements import RequirementsReader
from palio.web.controller.stepping import Order
from palio.web.controller.worker import Worker, Workers
from palio.web.models import Attempt, Challenge, SampleRepeat
from palio.web.models.ids import new_id
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.engine_support import refuse_unenforced, refuse_untrusted
from palio.web.verbs.queue import next_due

LOOK_S = 10.0  # between looks for submissions
RETRY_S = 60.0  # after a failure that is not the participant's
MOST_TRIES = 3  # then it is not tried again
_BOUNDS = Bounds(time_s=120.0)  # for comparing the predictions

log = logging.getLogger("palio.controller")


@dataclass
class _Running:
    """`since` is when its worker was asked to end, `is_late` whether because it took too long."""

    row: SampleRepeat
    worker: Worker
    deadline: float
    since: float | None = None
    is_late: bool = False


class SampleRepeats:
    """`look` is called by the loop, which starts and ends workers; a thread reads and writes everything else."""

    def __init__(
        self,
        folders: Folders,
        workers: Workers,
        requirements: RequirementsReader,
        pools: Pools,
        substitutes: Substitutes,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        self._folders, self._workers, self._requirements, self._pools = folders, workers, requirements, pools
        self._substitutes, self._clock, self._start = substitutes, clock, start
        self._due = clock() + LOOK_S
        self._next: SampleRepeat | None = None
        self._running: _Running | None = None
        self._is_busy = False  # the thread

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def look(self, found: Found, *, is_idle: bool) -> None:
        if self._running is not None:
            self._attend(self._running)
        elif self._is_busy or not is_idle:
            self._next = None if not self._is_busy else self._next
        elif self._next is not None:
            self._begin(self._next, found)
        elif self._clock() > self._due:
            self._due, self._is_busy = self._clock() + LOOK_S, True
            self._start(lambda: self._in_thread(lambda: self._choose(found.name)))

    def make_room(self) -> None:
        """An attempt is due: end the second run. It is repeated later."""
        if self._running is not None and self._running.since is None:
            self._ask(self._running)

    def let_go(self, timeout_s: float) -> None:
        """Leave a running job to the next controller."""
        if self._running is not None:
            self._running.worker.order(Order.LET_GO)
            self._running.worker.join(timeout_s)
            self._running = None

    def _begin(self, row: SampleRepeat, found: Found) -> None:
        try:
            refuse_untrusted(row.attempt.submission.user, found.name)
            refuse_unenforced(row.attempt.submission.user, found.name, found.unenforced)
            given = assignment(
                row.attempt, self._folders, found.name, substitutes=self._substitutes, identity=row.identity
            )
            needed = self._requirements.of(given.bundle, given.phase)
            pool = self._pools.of(needed.engine) if needed is not None else self._pools.default
        except PalioError as error:
            self._next = None
            self._finish(row, Outcome.failed(error.failure))
            return
        if needed is None:  # being read
            return
        limit_s = sum(needed.times[stage].total_seconds() for stage in (Stage.BUILD, Stage.SAMPLE))
        log.info("Running the public cases of %s again, as %s", row.attempt_id, row.identity)
        given = replace(given, collected=None, only_sample=True, engine_settings=pool.environment)
        worker = self._workers.start(given, None, lambda: None, lambda: None)
        self._next, self._running = None, _Running(row, worker, self._clock() + limit_s)

    def _attend(self, running: _Running) -> None:
        now = self._clock()
        if not running.worker.is_alive:
            self._running = None
            if running.since is not None and not running.is_late:
                self._due = now + LOOK_S
                self._thread(lambda: self._forget(running.row))
            else:
                self._finish(running.row, None if running.is_late else running.worker.outcome)
        elif running.since is None and now > running.deadline:
            running.is_late = True
            self._ask(running)
        elif running.since is not None and now - running.since > UNANSWERED_S:
            running.worker.kill()

    def _ask(self, running: _Running) -> None:
        running.since = self._clock()
        running.worker.order(Order.CANCEL)

    def _finish(self, row: SampleRepeat, outcome: Outcome | None) -> None:
        self._thread(lambda: self._store(row, outcome))

    def _thread(self, job: Callable[[], None]) -> None:
        self._is_busy = True
        self._start(lambda: self._in_thread(job))

    # -- in the thread

    def _in_thread(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            log.exception("Running public cases again failed; it is tried again later")
            self._due = self._clock() + RETRY_S
        finally:
            self._is_busy = False

    def _choose(self, engine: str) -> None:
        """One that was interrupted, or the latest submission whose public cases ran once."""
        if next(iter(next_due(1)), None) is not None:
            return
        rows = SampleRepeat.objects.select_related(
            *(f"attempt__{name}" for name in ("version", "source", "submission__file", "submission__team")),
            "attempt__submission__user",
        )
        row = rows.filter(finished=None, attempt__engine=engine).order_by("started").first()
        if row is None and (attempt := self._attempt(engine)):
            created = SampleRepeat.objects.create(attempt=attempt)
            row = rows.get(pk=created.pk)
        if row is not None and not self._first(row).is_dir():  # removed, or of a version without public cases
            row.finished = timezone.now()
            row.save()
            row = None
        self._next = row

    def _attempt(self, engine: str) -> Attempt | None:
        challenges = Challenge.objects.exclude(current=None).exclude(visibility=Challenge.Visibility.ARCHIVED)
        for challenge in challenges.select_related("current"):
            for phase in current_bundle(challenge).phases:
                if phase.rules.sample is None or not phase.rules.sample.twice:
                    continue
                of = {"submission__challenge": challenge, "submission__phase": phase.name}
                known = SampleRepeat.objects.filter(**{f"attempt__{key}": value for key, value in of.items()})
                ran = Attempt.objects.filter(**of, state=State.SCORED, engine=engine, source=None)
                ran = ran.filter(submission__withdrawn=None).exclude(submission__file__kind=SubmissionKind.RESULTS)
                due = ran.exclude(submission__file__sha256__in=known.values("attempt__submission__file__sha256"))
                if found := due.order_by("-finished").first():
                    return found
        return None

    def _first(self, row: SampleRepeat) -> Path:
        return RunFolder(self._folders.runs / row.attempt_id).sample / "predictions"

    def _store(self, row: SampleRepeat, outcome: Outcome | None) -> None:
        folder = RunFolder(self._folders.runs / row.identity)
        failure = outcome.failure if outcome is not None else None
        if outcome is not None and outcome.verdict is Verdict.SCORED:
            try:
                given = str(self._first(row)), str(folder.sample / "predictions")
                row.found = call_bounded(sample_differences, *given, bounds=_BOUNDS)
            except BoundsError as limit:
                log.warning("Comparing the predictions of %s exceeded the limits: %s", row.attempt_id, limit)
        elif failure is not None and failure.cause is Cause.PARTICIPANT:
            row.failure = failure.as_json()
        elif row.tries + 1 < MOST_TRIES:
            self._due = self._clock() + RETRY_S
            SampleRepeat.objects.filter(pk=row.pk).update(tries=row.tries + 1)
            self._forget(row)
            return
        row.finished = timezone.now()
        row.save()
        _remove(folder)

    def _forget(self, row: SampleRepeat) -> None:
        """It will run under another name, because something of this one may still be on the engine."""
        SampleRepeat.objects.filter(pk=row.pk).update(identity=new_id())
        _remove(RunFolder(self._folders.runs / row.identity))


def _remove(folder: RunFolder) -> None:
    """Without the folder, the cleanup would not know what is left on the engine."""
    if not folder.work.exists():
        shutil.rmtree(folder.root, ignore_errors=True)
