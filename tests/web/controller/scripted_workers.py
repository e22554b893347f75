"""Workers without threads or files: a model of them, which moves only when the test says, one small step at a time."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from palio.core.attempt.run_folder import Stage
from palio.core.errors import Cause, Failure
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.stepping import Order
from palio.web.controller.worker import Death, Reached, WorkerEnd

STAGES = (Stage.BUILD, Stage.PREDICT, Stage.SCORE)
SCORED = replace(Outcome.cancelled(), scores={"accuracy": 1.0}, stages=STAGES)


@dataclass
class Folder:
    """What is left of an attempt when its workers are gone: its run folder, and its jobs on the engine."""

    ran: Counter[Stage] = field(default_factory=Counter)
    finished: set[Stage] = field(default_factory=set)
    verdict: Outcome | None = None
    deaths: int = 0


class ScriptedWorkers:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.folders: dict[str, Folder] = {}
        self.made: list[ScriptedWorker] = []

    def start(
        self, given: Assignment, order: Order | Failure | None, changed: Callable[[], None], away: Callable[[], None]
    ) -> "ScriptedWorker":
        folder = self.folders.setdefault(given.identity, Folder())
        self.made.append(ScriptedWorker(given.identity, folder, order, self.clock))
        return self.made[-1]

    def remove(self, engine: str, names: Sequence[str]) -> None:
        pass

    @property
    def living(self) -> "list[ScriptedWorker]":
        return [worker for worker in self.made if worker.is_alive]


class ScriptedWorker:
    def __init__(
        self, identity: str, folder: Folder, order: Order | Failure | None, clock: Callable[[], float]
    ) -> None:
        self.reached: list[Reached] = []
        self.outcome: Outcome | None = None
        self.death: Death | None = None
        self.is_alive = True
        self.identity = identity
        self._folder, self._order, self._clock = folder, order, clock
        self._stage: Stage | None = None
        self._is_obedient = True

    def hang(self) -> None:
        """From now on it does nothing, and only a kill ends it."""
        self._is_obedient = False

    def order(self, order: Order | Failure) -> None:
        if order is Order.LET_GO and self._is_obedient:
            self.is_alive = False
        elif self._order is None:
            self._order = order

    def kill(self) -> None:
        self.die(WorkerEnd.KILLED)

    def join(self, timeout_s: float) -> None:
        pass

    def die(self, end: WorkerEnd) -> None:
        if self.is_alive:
            self.is_alive = False
            self._folder.deaths += 1
            if self.outcome is None:
                self.death = Death(end, "it died", self._stage, Cause.PARTICIPANT)

    def step(self) -> None:
        """The next of: a stage begins, its job is started, its job ends; the verdict is written, told; it is gone."""
        folder = self._folder
        if not self.is_alive or not self._is_obedient:
            return
        if self.outcome is not None:
            self.is_alive = False
        elif folder.verdict is not None:
            self.outcome = folder.verdict
        elif self._order is not None:
            order = self._order
            folder.verdict = Outcome.failed(order) if isinstance(order, Failure) else Outcome.cancelled()
        else:
            self._evaluate(folder)

    def _evaluate(self, folder: Folder) -> None:
        stage = next((stage for stage in STAGES if stage not in folder.finished), None)
        if stage is None:
            folder.verdict = scored()
        elif stage is not self._stage:
            self._stage = stage
            self.reached.append(Reached(stage, datetime.now(UTC), self._clock()))
        elif not folder.ran[stage]:
            folder.ran[stage] += 1
        else:
            folder.finished.add(stage)


def scored() -> Outcome:
    from palio.core.attempt.run_folder import Verdict

    return replace(SCORED, verdict=Verdict.SCORED)
