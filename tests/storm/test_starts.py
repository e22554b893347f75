"""What counts the starts of jobs sees each of them: however short it is, and only what really became the job."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.storm.starts import Starts

from palio.core.engine import Build, BuildLimits, Job, Limits, Work
from palio.core.errors import PalioError
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can count the starts of sandboxes"),
]
MANY = 12
LIMITS = Limits(time_s=30, memory_bytes=256 * MIB, cpus=1, pids=64, shm_bytes=16 * MIB)


def finish(engine: BubblewrapEngine, work: Work) -> str | None:
    deadline = time.monotonic() + 60
    while (result := engine.poll(work)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result.image


def test_starts_counted(tmp_path: Path) -> None:
    engine = BubblewrapEngine(tmp_path / "palio/bubblewrap")
    starts = Starts("bubblewrap", tmp_path, tmp_path)
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM x\n")
    limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
    build = Build("build", "x", tmp_path / "context", limits, tmp_path / "build.log")
    engine.start(build)
    image = finish(engine, build) or ""
    jobs = [
        Job(f"palio-short{number}-predict", image, LIMITS, tmp_path / "log", "/mnt/out", command=("python", "-c", ""))
        for number in range(MANY)
    ]
    for each in jobs:
        engine.start(each)
    for each in jobs:
        finish(engine, each)
    for each in jobs:
        engine.start(each)  # it has ended, and does not start again
    cut = Job("palio-cut-predict", image, LIMITS, tmp_path / "log", "/mnt/out", command=("python", "-c", ""))
    engine.start(cut)
    begun = kill_early(engine, cut, tmp_path / "palio/bubblewrap/jobs" / cut.name)
    counted = starts.end() or Counter()
    if begun:  # a busy machine: it may have started or not
        del counted[cut.name]
    assert counted == Counter(job.name for job in jobs)
    works: list[Work] = [build, cut, *jobs]
    for work in works:
        engine.remove(work)


def kill_early(engine: BubblewrapEngine, job: Job, folder: Path) -> bool:
    """Whether its sandbox was already made when its supervisor was killed."""
    while not (folder / "supervisor.json").exists():
        time.sleep(0.0005)
    os.kill(json.loads((folder / "supervisor.json").read_text())["pid"], signal.SIGKILL)
    with pytest.raises(PalioError):
        finish(engine, job)
    return (folder / "sandbox.json").exists()
