"""A training as its caller sees it: logs while it runs, and the model once it has succeeded."""

from pathlib import Path

import pytest
from tests.fakes import FakeEngine, ended

from palio.core.engine import BuildLimits, Job, JobResult, Limits
from palio.core.errors import PalioError
from palio.core.quantities import GIB, MIB
from palio.core.training import Training, train


class EndsAtOnce(FakeEngine):
    """Whose work has ended when it is first asked about, as on a machine that was busy meanwhile."""

    def poll(self, work: object) -> JobResult:
        return self.results[work.name]  # type: ignore[attr-defined]


def training(folder: Path) -> Training:
    for name in ("code", "data", "work"):
        (folder / name).mkdir()
    return Training(
        identity="t",
        code=folder / "code",
        data=folder / "data",
        target=folder / "model",
        work=folder / "work",
        build_limits=BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False),
        limits=Limits(time_s=60, memory_bytes=GIB, cpus=1, pids=64, shm_bytes=MIB, output_bytes=GIB, output_files=10),
    )


def test_log_of_instant_job(tmp_path: Path) -> None:
    def fails(job: Job, _: Path) -> JobResult:
        job.log.write_text("no convergence\n")
        return ended(exit_code=1)

    steps = train(training(tmp_path), EndsAtOnce(tmp_path / "engine", {"train": fails}))
    seen: list[Path] = []
    with pytest.raises(PalioError) as refused:
        seen.extend(steps)
    assert refused.value.failure.code == "training-failed"
    assert [path.name for path in seen] == ["build.log", "train.log"]
    assert seen[-1].read_text() == "no convergence\n"
