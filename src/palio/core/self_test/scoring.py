"""One scoring of a self-test, and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from palio.core.attempt.run_folder import Result, RunFolder, Stage, Verdict
from palio.core.errors import PalioError
from palio.core.evaluate import Evaluation
from palio.core.files.log import last_lines
from palio.core.quantities import duration_text
from palio.core.self_test.growth import Measured

STOPPED = frozenset({"score-time-limit", "score-memory-limit"})


@dataclass(frozen=True)
class Check:
    """`passed` is None where nothing could be found out, which is no fault. `log` is the scoring program's.

    `solution` is the path of the sample submission that was tried. If it fails, the bundle may be used nevertheless.
    """

    name: str
    passed: bool | None
    outcome: str
    log: tuple[str, ...] = ()
    next_step: str = ""
    solution: str = ""


@dataclass(frozen=True)
class Tried:
    """What became of predictions or a solution."""

    result: Result
    log: tuple[str, ...]
    folder: RunFolder

    @property
    def scored(self) -> bool:
        return self.result.verdict is Verdict.SCORED

    @property
    def outcome(self) -> str:
        if self.result.failure:
            return f"{self.result.failure.message} ({self.result.failure.code})"
        return ", ".join(f"{key} {value:g}" for key, value in (self.result.scores or {}).items())

    def check(self, name: str, *, passed: bool | None) -> Check:
        next_step = self.result.failure.next_step if self.result.failure and not passed else ""
        return Check(name, passed, self.outcome, () if self.scored else self.log, next_step)

    def measured(self, factor: int) -> Measured | None:
        """Time and memory of the scoring of `factor` times the rows; None if it gave no scores."""
        record = self.result.stages.get(Stage.SCORE)
        if not self.scored or record is None or record.wall_s is None:
            return None
        return Measured(factor, record.wall_s, record.peak_memory_bytes, record.cpu_s)

    @property
    def stopped(self) -> str:
        """Why the scoring was stopped, where the failure is one of STOPPED; else empty."""
        if self.result.failure is None or self.result.failure.code not in STOPPED:
            return ""
        by = "memory" if self.result.failure.code == "score-memory-limit" else "time"
        record = self.result.stages.get(Stage.SCORE)
        return f"stopped by its {by} limit after {duration_text(record.wall_s if record and record.wall_s else 0)}"


@dataclass
class Running:
    """An evaluation that is stepped; `result` once it is over."""

    folder: RunFolder
    evaluation: Evaluation | None
    result: Result | None = None

    @property
    def over(self) -> bool:
        return self.result is not None

    def step(self) -> None:
        if self.evaluation is not None and self.result is None and not self.evaluation.step():
            self.result = self.evaluation.result

    def cancel(self) -> None:
        if self.evaluation is not None and self.result is None:
            self.evaluation.cancel()

    @property
    def tried(self) -> Tried:
        assert self.result is not None  # noqa: S101 - it is over
        stage = self.result.failure.stage if self.result.failure else Stage.SCORE
        log = self.folder.log(Stage(stage)) if stage in set(Stage) else self.folder.log(Stage.SCORE)
        shown = tuple(_lines(log)) if self.evaluation else ()
        return Tried(self.result, shown, self.folder)


def _lines(log: Path) -> Sequence[str]:
    return last_lines(log) if log.is_file() else ()


def refused(error: PalioError) -> Result:
    return Result(datetime.now(UTC), {}, Verdict.FAILED, error.failure)
