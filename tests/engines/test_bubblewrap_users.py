"""Each running job has a user that no other process has."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests import ordinary_user

from palio.core.engine import Build, BuildLimits, Job, Limits
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine
from palio.engines.bubblewrap.users import take_user
from palio.engines.job_users import VARIABLE

UIDS = [54_330, 54_331]


def _never() -> bool:
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_user_taken_once(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], user=UIDS[0]) as other:
        assert take_user(tmp_path, UIDS, _never) == UIDS[1]
        answers = iter((False, True))
        assert take_user(tmp_path, UIDS, lambda: next(answers)) is None
        other.kill()
    assert take_user(tmp_path, UIDS, _never) == UIDS[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_user_taken_although_each_child_starts_a_thread() -> None:
    code = f"""
import os, threading, time
from palio.engines.bubblewrap.users import _is_idle
os.register_at_fork(after_in_child=lambda: threading.Thread(target=time.sleep, args=(60,), daemon=True).start())
print(_is_idle({UIDS[1]}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"


def two_jobs(home: Path) -> list[tuple[float, float]]:
    """When two jobs that are started at once have run, in seconds since the epoch; in order."""
    engine = BubblewrapEngine(home / "state")
    (home / "context").mkdir()
    (home / "context/Dockerfile").write_text("FROM x\nCMD sleep 0.5\n")
    limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
    build = Build("palio-test-build", "0" * 64, home / "context", limits, home / "build.log")
    engine.start(build)
    while (built := engine.poll(build)) is None:
        time.sleep(0.01)
    image = built.image or ""
    jobs = [Job(f"palio-test-{n}", image, Limits(20, 64 * MIB, 1), home / f"{n}.log", "/mnt/out") for n in range(2)]
    for job in jobs:
        engine.start(job)
    times = []
    for job in jobs:
        while (result := engine.poll(job)) is None:
            time.sleep(0.01)
        assert result.succeeded, result
        times.append((result.started.timestamp(), result.finished.timestamp()))
        engine.remove(job)
    return sorted(times)


@pytest.mark.bubblewrap
def test_ordinary_user_jobs_sequential() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        Path(home).chmod(0o755)
        code = f"from {__name__} import *; print(two_jobs(Path(sys.argv[1])))"
        if ordinary_user.needed():
            done = ordinary_user.run(Path(home), "-c", code, home)
        else:
            done = subprocess.run([sys.executable, "-c", code, home], capture_output=True, text=True)
        assert done.stderr == ""
        (_, first_ended), (second_began, _) = eval(done.stdout)  # noqa: S307 - our own words
    assert first_ended <= second_began


@pytest.mark.bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_job_waits_for_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{UIDS[0]}-{UIDS[0]}")
    (_, first_ended), (second_began, _) = two_jobs(tmp_path)
    assert first_ended <= second_began
