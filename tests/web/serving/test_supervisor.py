"""How charges are started again, without a platform: small processes, and times of the clock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from palio.web.serving.child_process import how_it_ended
from palio.web.serving.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, Charge

RUN = """
import os, signal, sys, time
from palio.web.controller import heartbeat
from palio.web.serving.supervisor import Charge, Supervisor

heartbeat.HANGS_S = 1.0

def say(line):  # in one piece: several processes write into one pipe
    os.write(1, f"{line}\\n".encode())

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"stubborn {os.getpid()}")
    time.sleep(60)

def crashing():
    say("crashing")
    raise SystemExit(3)

beats = heartbeat.Heartbeat()

def hanging():
    say(f"hanging after {beats.at_work!r}")
    beats.at_work = "abcdefghijklmnop"
    import re
    re.match("(a*)*b", "a" * 64)  # never lets another thread of its process run

def beating():
    for _ in range(30):
        beats.beat()
        time.sleep(0.1)
    say("beaten")
    with beats.waiting():  # for the database
        time.sleep(60)

wanted = {"stubborn": stubborn, "crashing": crashing, "hanging": hanging, "beating": beating}
watched = {"hanging": beats, "beating": beats}
charges = [Charge(name, wanted[name], signal.SIGKILL, watched.get(name)) for name in sys.argv[1:]]
Supervisor(charges).run(lambda: say("started"))
say("ended")
"""


@contextmanager
def supervise(*names: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RUN, *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as supervisor:
        try:
            yield supervisor
        finally:
            supervisor.kill()  # where the test has failed, and it runs on; its charges end with it


def test_crashing_child_restarted_with_backoff() -> None:
    with supervise("crashing") as supervisor:
        time.sleep(3)
        supervisor.terminate()
        said, log = supervisor.communicate(timeout=10)
    assert 3 <= said.count("crashing\n") <= 5  # after 0.2, 0.4, 0.8 and 1.6 s
    assert "crashing ended with exit code 3; restarting it in 0.4 s" in log
    assert said.endswith("ended\n")


def test_hanging_child_restarted() -> None:
    with supervise("hanging") as supervisor:
        assert supervisor.stdout is not None
        lines = [supervisor.stdout.readline() for _ in range(3)]
        supervisor.terminate()
        _, log = supervisor.communicate(timeout=20)
    assert sorted(lines) == ["hanging after ''\n", "hanging after 'abcdefghijklmnop'\n", "started\n"]
    assert "hanging has no heartbeat; killing it" in log
    assert "hanging was killed by SIGKILL; restarting it" in log


def test_waiting_child_left_alone() -> None:
    with supervise("beating") as supervisor:
        assert supervisor.stdout is not None
        assert sorted(supervisor.stdout.readline() for _ in range(2)) == ["beaten\n", "started\n"]
        time.sleep(4)
        supervisor.terminate()
        said, log = supervisor.communicate(timeout=20)
    assert (said, log) == ("ended\n", "")


def test_second_signal_kills() -> None:
    with supervise("stubborn") as supervisor:
        assert supervisor.stdout is not None
        lines = [supervisor.stdout.readline() for _ in range(2)]
        process = int(next(line for line in lines if line.startswith("stubborn")).split()[1])
        supervisor.terminate()
        time.sleep(0.5)
        assert supervisor.poll() is None
        begin = time.monotonic()
        supervisor.terminate()
        supervisor.wait(10)
        assert time.monotonic() - begin < 3
    assert not Path(f"/proc/{process}").exists()


def test_backoff_grows_and_resets(caplog: pytest.LogCaptureFixture) -> None:
    charge = Charge("it", lambda: None, signal.SIGKILL)
    charge.started = time.monotonic()
    waits = []
    for _ in range(12):
        waits.append(charge.wait_s)
        charge.has_ended("ended")
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert max(waits) == LONGEST_WAIT_S
    charge.started = time.monotonic() - 3600
    charge.has_ended("ended")
    assert charge.start_at - time.monotonic() <= FIRST_WAIT_S


def test_exit_description() -> None:
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    _, status = os.waitpid(child.pid, 0)
    child.returncode = -9
    assert how_it_ended(status) == "was killed by SIGKILL"
    assert how_it_ended(3 << 8) == "ended with exit code 3"
