"""The clock that a storm turns: only that of the day, while a process runs, and only its own."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.storm.clock import Clock, clock_fault
from tests.web.serving.running import environment

_TELL = """
import sqlite3, time
from datetime import datetime, UTC
for _ in range(3):
    input()
    day = sqlite3.connect(":memory:").execute("SELECT CAST(strftime('%s', 'now') AS INTEGER)").fetchone()[0]
    began = time.monotonic()
    time.sleep(0.01)
    print(int(time.time()), int(datetime.now(UTC).timestamp()), day, began, time.monotonic() - began, flush=True)
"""
HOUR_S = 3600


@pytest.mark.parametrize("more_s", [HOUR_S, -HOUR_S])
def test_clock_turned_while_it_runs(more_s: int, tmp_path: Path) -> None:
    if fault := clock_fault():
        lacking(fault)
    clock = Clock(tmp_path, "one")
    Clock(tmp_path, "another").turn(99 * HOUR_S)
    with subprocess.Popen(
        [sys.executable, "-c", _TELL],
        env=environment(None, **clock.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for turned in (0, more_s, 0):
            clock.turn(turned)
            before, monotonic = int(time.time()) + turned, time.monotonic()
            process.stdin.write("\n")
            process.stdin.flush()
            *days, began, slept = process.stdout.readline().split()
            assert all(before <= int(day) <= time.time() + turned for day in days)
            assert monotonic <= float(began) <= time.monotonic()
            assert 0.01 <= float(slept) <= time.monotonic() - monotonic
