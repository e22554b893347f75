"""Our own stand-ins for our own ports."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from palio.core.collect import collect_folder
from palio.core.job import Collected, End, Guarantee, Job, JobResult, Limits, Work

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def ended(end: End = End.EXITED, exit_code: int | None = 0, *, seconds: float = 1.5, **more: object) -> JobResult:
    return JobResult(end, exit_code, BEGIN, BEGIN + timedelta(seconds=seconds), **more)  # type: ignore[arg-type]


@dataclass
class FakeEngine:
    """Runs no container: a job is a Python function that sees the job and writes to a folder, its output.

    `programs` maps the last part of a job's name (`predict`, `score`) to such a function, which may return a
    JobResult of its own. Every call is noted in `calls`; each job is running for one poll before it ends.
    """

    folder: Path
    programs: Mapping[str, Callable[[Job, Path], JobResult | None]] = field(default_factory=dict)
    build_result: JobResult = field(default_factory=lambda: ended(image="image"))
    build_log: str = ""
    refuse: Exception | None = None
    name: str = "fake"
    loads_images: bool = True
    calls: list[str] = field(default_factory=list)
    polled: set[str] = field(default_factory=set)
    results: dict[str, JobResult] = field(default_factory=dict)

    def describe(self) -> str:
        return "Fake 1.0"

    def guarantees(self) -> tuple[Guarantee, ...]:
        return ()

    def check(self, limits: Limits) -> None:
        if self.refuse:
            raise self.refuse

    def start(self, work: Work) -> None:
        self.calls.append(f"start {self._what(work)}")
        if not isinstance(work, Job):
            work.log.write_text(self.build_log)
            self.results[work.name] = self.build_result
            return
        work.log.write_text("")
        output = self._output(work)
        output.mkdir(parents=True)
        self.results[work.name] = self.programs[self._what(work)](work, output) or ended()

    def poll(self, work: Work) -> JobResult | None:
        if work.name not in self.polled:
            self.polled.add(work.name)
            return None
        return self.results[work.name]

    def stop(self, work: Work) -> None:
        self.calls.append(f"stop {self._what(work)}")

    def collect(self, job: Job, destination: Path) -> Collected:
        limits = job.limits
        return collect_folder(
            self._output(job), destination, max_bytes=limits.output_bytes, max_files=limits.output_files
        )

    def remove(self, work: Work) -> None:
        self.calls.append(f"remove {self._what(work)}")
        if isinstance(work, Job):
            shutil.rmtree(self._output(work), ignore_errors=True)

    def _what(self, work: Work) -> str:
        return work.name.split("-", 2)[2]

    def _output(self, job: Job) -> Path:
        return self.folder / job.name
