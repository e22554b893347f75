"""Processes that end with a lease: also one that is busy outside of Python, or was paused."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from palio.web.controller.lease_clock import LeaseClock, now

PROGRAM = """
import re, sys
from palio.web.controller.lease_clock import end_with_lease
end_with_lease(int(sys.argv[1]))
print("begun", flush=True)
"""
IDLE = "import time\ntime.sleep(60)\n"
BUSY = "re.match('(a*)*b', 'a' * 64)\n"  # never lets another thread run
WRITES = "from pathlib import Path\nwhile True:\n    Path(sys.argv[2]).touch()\n"


@contextmanager
def started(clock: LeaseClock, then: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM + then, str(clock.descriptor), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[clock.descriptor]) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("then", [IDLE, BUSY], ids=["idle", "busy"])
def test_process_ends_with_its_lease(then: str) -> None:
    clock = LeaseClock()
    clock.set(now() + 3)
    with started(clock, then) as process:
        assert process.wait(30) == -signal.SIGALRM


def test_renewed_lease_keeps_it() -> None:
    clock = LeaseClock()
    clock.set(now() + 3)
    with started(clock, IDLE) as process:
        for _ in range(10):
            clock.set(now() + 3)
            time.sleep(0.5)
        assert process.poll() is None


def test_without_expiry_it_stays() -> None:
    with started(LeaseClock(), IDLE) as process, pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)


def test_paused_process_does_nothing_after_it_wakes_up(tmp_path: Path) -> None:
    file, clock = tmp_path / "written", LeaseClock()
    clock.set(now() + 3)
    with started(clock, WRITES, str(file)) as process:
        while not file.exists():
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.1)
        file.unlink()
        time.sleep(3.5)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(30) == -signal.SIGALRM
        assert not file.exists()
