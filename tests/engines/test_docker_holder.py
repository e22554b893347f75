"""Users of jobs and holders of outputs on a real engine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from palio.core.engine import End, Job, Limits
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.docker import DockerEngine
from palio.engines.docker.holder import executable
from palio.engines.job_users import VARIABLE

pytestmark = pytest.mark.docker

LIMITS = Limits(time_s=20, memory_bytes=64 * MIB, cpus=1, output_bytes=MIB, output_files=50)


def job_of(folder: Path, code: str = "import os; print(os.getuid())") -> Job:
    name = f"palio-test-{uuid4().hex[:12]}"
    log = folder / f"{name}.log"
    return Job(name, "python:3.11-slim", LIMITS, log, "/mnt/out", command=("python", "-c", code))


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[list[Job]]:
    made = [job_of(tmp_path) for _ in range(4)]
    yield made
    for job in made:
        DockerEngine().remove(job)


def start(job: Job) -> None:
    DockerEngine().start(job)


def uid_of(job: Job) -> int:
    engine = DockerEngine()
    while (result := engine.poll(job)) is None:
        time.sleep(0.02)
    assert result.succeeded
    return int(job.log.read_text())


def test_concurrent_jobs_own_users(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """They have as many users to choose from as there are jobs, so that they want the same ones."""
    monkeypatch.setenv(VARIABLE, "20001-20004")
    with ThreadPoolExecutor(4) as racing:
        list(racing.map(start, jobs))
    assert {uid_of(job) for job in jobs} == {20001, 20002, 20003, 20004}


def test_job_without_free_user(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "20011-20011")
    start(jobs[0])
    with pytest.raises(PalioError, match="all 1 users for jobs are in use"):
        start(jobs[1])
    DockerEngine().remove(jobs[0])
    DockerEngine().remove(jobs[1])
    start(jobs[1])
    assert uid_of(jobs[1]) == 20011


def test_job_started_concurrently(jobs: list[Job]) -> None:
    with ThreadPoolExecutor(4) as racing:
        list(racing.map(start, [jobs[0]] * 4))
    uid = uid_of(jobs[0])
    listed = ["docker", "ps", "--all", "--filter", f"label=palio.job={jobs[0].name}", "--format", "{{.Names}}"]
    names = set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split())
    assert {jobs[0].name, f"palio-user-{uid}"} <= names
    DockerEngine().remove(jobs[0])
    assert subprocess.run(listed, capture_output=True, text=True, check=True).stdout == ""


def test_clock_jump_job_ends_on_time(tmp_path: Path) -> None:
    """And one that does not is all that counts, whatever the wall clock says."""
    job, jumped_s = job_of(tmp_path, "import time; time.sleep(15)"), [0.0]
    engine = DockerEngine(clock=lambda: time.monotonic() + jumped_s[0])
    engine.start(job)
    try:
        assert engine.poll(job) is None
        jumped_s[0] = 100
        while (result := engine.poll(job)) is None:
            time.sleep(0.02)
        other = DockerEngine().poll(job)
        assert other is not None
        assert (result.end, other.end) == (End.TIME, End.TIME)
        assert result.wall_s < 10
    finally:
        engine.remove(job)


def test_clock_jump_job_not_overtime(tmp_path: Path) -> None:
    job = job_of(tmp_path, "import time; time.sleep(5)")
    job = Job(**{**vars(job), "limits": Limits(**{**vars(LIMITS), "time_s": 4})})
    stopped = time.monotonic()
    engine = DockerEngine(clock=lambda: stopped)
    engine.start(job)
    try:
        while (result := engine.poll(job)) is None:
            time.sleep(0.02)
        assert (result.end, result.exit_code) == (End.EXITED, 0)
        assert result.wall_s > 5
    finally:
        engine.remove(job)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_holder_program_segment(machine: str) -> None:
    program = executable(machine)
    assert program[:4] == b"\x7fELF"
    assert len(program) < 300
    assert program.endswith(b"/out\0")


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="no program for this processor")
def test_holder_program_without_file_system(tmp_path: Path) -> None:
    program = tmp_path / "wait"
    program.write_bytes(executable(os.uname().machine))
    program.chmod(0o755)
    asked = subprocess.run([program, "statfs"], capture_output=True, check=False)
    if not Path("/out").exists():
        assert (asked.returncode != 0, asked.stdout) == (True, b"")
    with subprocess.Popen([program]) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        waiting.kill()


def test_process_age() -> None:
    from palio.engines.docker.stopwatch import process_age_s

    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"]) as process:
        time.sleep(0.5)
        age = process_age_s(process.pid)
        process.kill()
    assert 0.4 < age < 20
