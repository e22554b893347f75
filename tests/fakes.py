"""Our own substitutes for our own ports."""

import os
import pickle
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from palio.core.engine import Collected, End, Guarantee, Job, JobResult, Limits, Work
from palio.core.errors import PalioError
from palio.core.files.collect import collect_folder

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
    runs_in_parallel: bool = True
    promises: tuple[Guarantee, ...] = ()
    images: frozenset[str] = frozenset({"python:3.11-slim"})
    calls: list[str] = field(default_factory=list)
    polled: set[str] = field(default_factory=set)
    results: dict[str, JobResult] = field(default_factory=dict)

    def describe(self) -> str:
        return "Fake 1.0"

    def guarantees(self) -> tuple[Guarantee, ...]:
        return self.promises

    def has_image(self, name: str) -> bool | None:
        return name in self.images

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
        output.mkdir(parents=True, exist_ok=True)  # of a process that was killed here
        for copy in work.output_copies:
            shutil.copytree(copy.source, output / copy.target.removeprefix(work.output).strip("/"), dirs_exist_ok=True)
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

    def job_names(self) -> frozenset[str]:
        return frozenset(path.name.removesuffix(".result") for path in self.folder.glob("palio-*"))

    def _what(self, work: Work) -> str:
        return work.name.split("-", 2)[2]

    def _output(self, job: Job) -> Path:
        return self.folder / job.name


class LastingEngine(FakeEngine):
    """Keeps all it knows on disk, so that another process finds its jobs: start, poll and remove happen or do not.

    The beginning and the end of each of these is an audit event, `fake-engine`. What ran is in `ran`.
    """

    def start(self, work: Work) -> None:
        sys.audit("fake-engine", "begin")
        if not self._record(work).exists():
            self._note("ran", work)
            super().start(work)
            if not isinstance(work, Job) and not self.results[work.name].succeeded:
                return  # images that failed are nowhere but in the process that made them
            self._record(work).write_bytes(pickle.dumps(self.results[work.name]))
        sys.audit("fake-engine", "end")

    def poll(self, work: Work) -> JobResult | None:
        if work.name not in self.results:
            if not self._record(work).exists():
                raise PalioError("engine-fault", engine=self.name, action=f"watching {work.name}", reason="it is gone")
            self.results[work.name] = pickle.loads(self._record(work).read_bytes())  # noqa: S301 - our own
        return super().poll(work)

    def remove(self, work: Work) -> None:
        sys.audit("fake-engine", "begin")
        super().remove(work)
        self._record(work).unlink(missing_ok=True)
        sys.audit("fake-engine", "end")

    @property
    def ran(self) -> list[str]:
        return (self.folder / "ran").read_text().split()

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*") if path.name != "ran")

    def _record(self, work: Work) -> Path:
        self.folder.mkdir(exist_ok=True)
        return self.folder / f"{work.name}.result"

    def _note(self, file: str, work: Work) -> None:
        with (self.folder / file).open("a") as notes:
            notes.write(f"{self._what(work)}\n")


WRITES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}


def killed_at(moment: int, act: Callable[[], object]) -> bool:
    """Does `act` in a child that dies, without cleaning up, just before it changes a file for the `moment`th time.

    False if it came to its end before that. What the fake engine does counts as two moments.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        left, in_engine = moment, False

        def look(event: str, details: tuple[object, ...]) -> None:
            nonlocal left, in_engine
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
            if event == "fake-engine":
                in_engine = details == ("begin",)
            elif in_engine or not (event in WRITES or (event == "open" and int(str(details[2])) & writes)):
                return
            left -= 1
            if left == 0:
                os._exit(9)

        code = 1
        try:
            sys.addaudithook(look)
            act()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), "it failed in the child; its traceback is on standard error"
    return code == 9
