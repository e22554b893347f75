"""A supervisor of a sandbox that is killed at any moment leaves nothing: no process, group, mount, folder or lock."""

import fcntl
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests import ordinary_user

from palio.core.engine import Build, BuildLimits, Job, Limits
from palio.core.errors import PalioError
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine
from palio.engines.bubblewrap.cgroup import places
from palio.engines.bubblewrap.users import LOCKS
from palio.engines.job_users import VARIABLE

KILLS, LAST_S = 50, 0.3  # at moments in between, from the start on
USER = 54_322  # of root's jobs in this test, and of no other
pytestmark = pytest.mark.bubblewrap


def killed_at_every_moment(home: Path) -> Iterator[str]:
    """What is left over after each of the kills. An ordinary user calls it with no other process of his running."""
    engine = BubblewrapEngine(home / "state")
    (home / "context").mkdir()
    (home / "context/Dockerfile").write_text("FROM x\nCMD sleep 60\n")
    limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
    build = Build("palio-test-build", "0" * 64, home / "context", limits, home / "build.log")
    engine.start(build)
    while (built := engine.poll(build)) is None:
        time.sleep(0.01)
    engine.remove(build)
    assert built.image
    killed = 0
    for number in range(KILLS):
        job = Job(f"palio-test-{number}", built.image, Limits(60, 64 * MIB, 1), home / "job.log", "/mnt/out")
        engine.start(job)
        time.sleep(LAST_S * number / KILLS)
        for pid in supervisors(job.name):
            killed += 1
            os.kill(pid, signal.SIGKILL)
        if number % 2:  # the other half is removed without having been looked at
            with suppress(PalioError):
                while engine.poll(job) is None:
                    time.sleep(0.001)
        engine.remove(job)
        yield from (f"{number}: {left}" for left in remains(home, job.name))
    assert killed == KILLS


def supervisors(name: str) -> list[int]:
    """Of the own processes that the job's name is in the command line of, the one that is no child of another."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_own = path.stat().st_uid == os.getuid()  # another test may have a job of the same name
            if is_own and name.encode() + b"\0" in path.joinpath("cmdline").read_bytes():
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    return [pid for pid, parent in parents.items() if parent not in parents]


def remains(home: Path, name: str) -> Iterator[str]:
    user = USER if os.geteuid() == 0 else os.getuid()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command, status = (path / "cmdline").read_bytes(), (path / "status").read_text()
            # Without a command line, it has given its memory back: it is over, or about to be.
            is_ours = f"\nUid:\t{user}\t" in status and int(path.name) != os.getpid() and command
            if is_ours or name.encode() + b"\0" in command:
                yield f"process {path.name} {command!r}"
    for place in {path.parent for path in places("x")}:
        yield from (f"group {path}" for path in place.glob("palio-*") if is_of(path, home))
    yield from (f"folder {path}" for path in (home / "state/jobs").iterdir())
    yield from (f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(home) in line)
    folder = LOCKS if os.geteuid() == 0 else Path.home() / ".cache/palio/bubblewrap"
    with suppress(FileNotFoundError), (folder / f"user-{user}").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield "the user's lock"


def is_of(group: Path, home: Path) -> bool:
    from palio.engines.bubblewrap.engine import group_name

    return any(group.name == group_name(home / "state/jobs" / f"palio-test-{number}") for number in range(KILLS))


def test_killed_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{USER}-{USER}")
    assert list(killed_at_every_moment(tmp_path)) == []


def test_killed_at_every_moment_as_an_ordinary_user() -> None:
    if not ordinary_user.needed():
        pytest.skip("the other test is run by one already")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        Path(home).chmod(0o755)
        code = f"from {__name__} import *; print(*killed_at_every_moment(Path.home()), sep='\\n')"
        done = ordinary_user.run(Path(home), "-c", code)
        assert (done.stdout.strip(), done.stderr, done.returncode) == ("", "", 0)
