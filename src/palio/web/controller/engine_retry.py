"""An engine for one attempt that waits while the engine is unreachable, without counting that as a failure.

Covered: an engine that is down, restarting or not up yet, at any call, also if it is back by the time somebody asks.
Its existing jobs are resumed. A container that the restart ended is an engine failure (see `engines.docker.lifetime`),
and an image that was being built is rebuilt.
Not covered: an engine that responds and fails; that ends the attempt, which is then retried.

The wait ends when the attempt is overdue, cancelled or let go.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from palio.core.engine import Collected, Engine, Guarantee, Job, JobResult, Limits, QueueingEngine, Waiting, Work
from palio.core.errors import PalioError
from palio.web.controller.engines import Engines

AWAY_S = 1.0  # before an unreachable engine is tried again
BACK_S = 60.0  # for which calls may find a cluster unreachable that responds when asked: it is starting
_UNREACHABLE = "cluster-unreachable"
_AWAY = {_UNREACHABLE, "engine-fault", "engine-missing"}

Given = TypeVar("Given")


class LetGoError(BaseException):
    """The attempt is to stop, or to be left to another process, while its engine is unreachable.

    This is no failure and must not be handled as one, so it is not an Exception.
    """


class RetryingEngine:
    """`pause` waits for the given seconds, or raises LetGoError."""

    def __init__(self, name: str, engines: Engines, pause: Callable[[float], None], *, back_s: float = BACK_S) -> None:
        self.name = name
        self._back_s = back_s
        self._engines, self._pause = engines, pause
        self._opened: Engine | None = None
        self._away_until = 0.0
        self._failing_since: float | None = None  # monotonic, of a cluster that responds when asked
        self.waits: Waiting | None = None  # that the job waits that was polled last, as its engine says
        self._lost: set[str] = set()  # images that were being built when the engine became unreachable

    @property
    def loads_images(self) -> bool:
        return self._engine().loads_images

    @property
    def runs_in_parallel(self) -> bool:
        return self._engine().runs_in_parallel

    def describe(self) -> str:
        return self._engine().describe()

    def guarantees(self) -> tuple[Guarantee, ...]:
        return self._engine().guarantees()

    def has_image(self, name: str) -> bool | None:
        return self._patiently(lambda engine: engine.has_image(name))

    def check(self, limits: Limits) -> None:
        self._patiently(lambda engine: engine.check(limits))

    def start(self, work: Work) -> None:
        self._patiently(lambda engine: engine.start(work))

    def poll(self, work: Work) -> JobResult | None:
        """None while the engine is unreachable, as for a running job."""
        if time.monotonic() < self._away_until:
            return None
        try:
            if work.name in self._lost:
                self._engine().remove(work)
                self._engine().start(work)
                self._lost.discard(work.name)
            result = self._engine().poll(work)
            self.waits = self._opened.waiting(work) if isinstance(self._opened, QueueingEngine) else None
        except PalioError as error:
            if not self._is_away(error):
                raise
            result = None
        else:
            self._failing_since = None
            if isinstance(work, Job) or result is None or result.succeeded or not self._is_away():
                return result
        self._away_until = time.monotonic() + AWAY_S
        if not isinstance(work, Job):
            self._lost.add(work.name)
        return None

    def stop(self, work: Work) -> None:
        self._at_once().stop(work)

    def collect(self, job: Job, destination: Path) -> Collected:
        def collect(engine: Engine) -> Collected:
            shutil.rmtree(destination, ignore_errors=True)  # an incomplete copy
            return engine.collect(job, destination)

        return self._patiently(collect)

    def remove(self, work: Work) -> None:
        """Does not wait: what cannot be removed now is removed once the engine is reachable."""
        self._at_once().remove(work)

    def job_names(self) -> frozenset[str]:
        return self._at_once().job_names()

    # -- helpers

    def _engine(self) -> Engine:
        while self._opened is None:
            try:
                self._at_once()
            except PalioError as error:
                if error.failure.code not in _AWAY:
                    raise
                self._pause(AWAY_S)
        return self._opened

    def _at_once(self) -> Engine:
        if self._opened is None:
            self._opened, _ = self._engines.open(self.name)
        return self._opened

    def _patiently(self, call: Callable[[Engine], Given]) -> Given:
        while True:
            try:
                result = call(self._engine())
            except PalioError as error:
                if not self._is_away(error):
                    raise
            else:
                self._failing_since = None
                return result
            self._pause(AWAY_S)

    def _is_away(self, error: PalioError | None = None) -> bool:
        if error is not None and error.failure.code not in _AWAY:
            return False
        if self._engines.fault(self.name) is not None:
            return True
        if error is None or error.failure.code != _UNREACHABLE:
            return False
        self._failing_since = self._failing_since or time.monotonic()
        return time.monotonic() - self._failing_since < self._back_s
