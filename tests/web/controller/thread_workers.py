"""Workers for tests that evaluate in threads of the test's process, on engines that do what the test says."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from palio.core.attempt.run_folder import Stage
from palio.core.errors import Cause, Failure
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.engines import Engines
from palio.web.controller.remove_jobs import named
from palio.web.controller.stepping import Order, evaluate
from palio.web.controller.worker import Death, Reached, WorkerEnd


class ThreadWorkers:
    """`made` has all workers, in their order."""

    def __init__(self, engines: Engines, clock: Callable[[], float]) -> None:
        self.engines, self.clock = engines, clock
        self.made: list[ThreadWorker] = []
        self._locks: dict[str, threading.Lock] = {}

    def start(
        self, given: Assignment, order: Order | Failure | None, changed: Callable[[], None], away: Callable[[], None]
    ) -> "ThreadWorker":
        lock = self._locks.setdefault(given.identity, threading.Lock())
        worker = ThreadWorker(given, self.engines, order, changed, lock, self.clock)
        self.made.append(worker)
        return worker

    def remove(self, engine: str, names: Sequence[str]) -> None:
        for name in names:
            self.engines.open(engine)[0].remove(named(name))


KILLED = Death(WorkerEnd.KILLED, "it was killed by SIGKILL", None, Cause.ORGANIZER)


class _KilledError(BaseException):
    """Ends the thread as a kill ends a process."""


class ThreadWorker:
    """After `kill` it counts as gone at once; its thread ends when it next looks at its orders, and holds the run
    folder until then, as a process in the kernel does."""

    def __init__(
        self,
        given: Assignment,
        engines: Engines,
        order: Order | Failure | None,
        changed: Callable[[], None],
        lock: threading.Lock,
        clock: Callable[[], float],
    ) -> None:
        self.reached: list[Reached] = []
        self.outcome: Outcome | None = None
        self.death: Death | None = None
        self.identity = given.identity
        self.line = _Line(self, order, changed, clock)
        self._thread = threading.Thread(target=self._run, args=(given, engines, lock), daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self.death is None and self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def order(self, order: Order | Failure) -> None:
        if self.line.ordered is None or order is Order.LET_GO:
            self.line.ordered = order
        self.line.woken.set()

    def kill(self, death: Death = KILLED) -> None:
        if self.is_alive:
            self.death = replace(death, stage=self.line.at[0], files_of=self.line.at[1])
            self.line.woken.set()
            self.line.changed()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self, given: Assignment, engines: Engines, lock: threading.Lock) -> None:
        with suppress(_KilledError):
            while not lock.acquire(timeout=0.01):
                if self.line.order() is Order.LET_GO:
                    return
            try:
                evaluate(given, engines, None, self.line)
            finally:
                lock.release()
        self.line.changed()


class _Line:
    def __init__(
        self,
        worker: ThreadWorker,
        order: Order | Failure | None,
        changed: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.ordered, self.changed, self._clock = order, changed, clock
        self.woken = threading.Event()
        self.at = (Stage.BUILD, Cause.ORGANIZER)
        self._worker = worker

    def order(self) -> Order | Failure | None:
        if self._worker.death is not None:
            raise _KilledError
        return self.ordered

    def wait(self, seconds: float) -> None:
        self.woken.wait(seconds)

    def reached(self, stage: Stage, files_of: Cause) -> None:
        self.order()
        before, self.at = self.at, (stage, files_of)
        if not self._worker.reached or before[0] is not stage:
            self._worker.reached.append(Reached(stage, datetime.now(UTC), self._clock()))
            self.changed()

    def ended(self, outcome: Outcome) -> None:
        self.order()
        if self._worker.outcome is None:
            self._worker.outcome = Outcome.from_json(json.loads(json.dumps(outcome.as_json())))
            self.changed()
