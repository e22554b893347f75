"""An engine for tests that does what the test says. Free of Django, as worker processes use it too."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.bundles import answers
from tests.fakes import LastingEngine, ended

from palio.core.engine import Job, JobResult, Waiting, Work
from palio.core.errors import PalioError


def predict(job: Job, output: Path) -> None:
    yes_or_no = {
        path.name: "yes" if path.read_text()[0] in "aeiou" else "no" for path in job.mounts[0].source.iterdir()
    }
    (output / "answers.csv").write_text(answers(yes_or_no))


def score(job: Job, output: Path) -> None:
    (output / "scores.json").write_text('{"accuracy": 1.0}')


def exits(job: Job, output: Path) -> JobResult:
    return ended(exit_code=3)


@dataclass
class ProgrammedEngine(LastingEngine):
    """`lasting`: stages that do not end; `held`: of these, those that wait for room. `away`: it cannot be reached.
    `faults`: stages where it fails, and answers.
    """

    name: str = "docker"
    lasting: set[str] = field(default_factory=set)
    faults: dict[str, Exception] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    away: bool = False
    looked_at: set[str] = field(default_factory=set)

    def polls(self, name: str) -> bool:
        """Whether somebody waits for the end of this job."""
        return name in self.looked_at

    def start(self, work: Work) -> None:
        self._answer(work)
        super().start(work)

    def poll(self, work: Work) -> JobResult | None:
        self._answer(work)
        self.looked_at.add(work.name)
        if self._what(work) in self.lasting:
            return None
        return super().poll(work)

    def waiting(self, work: Work) -> Waiting | None:
        return Waiting(2) if self._what(work) in self.held else None

    def remove(self, work: Work) -> None:
        if self.away:
            self._answer(work)
        super().remove(work)

    def _answer(self, work: Work) -> None:
        if self.away:
            raise PalioError("engine-fault", engine=self.name, action="answering", reason="nobody is there")
        if error := self.faults.get(self._what(work)):
            raise error


def fault(reason: str = "it broke") -> PalioError:
    return PalioError("engine-fault", engine="docker", action="running", reason=reason)
