"""Measures how long a container has run, by clocks that nobody can set.

A process that watches a container uses its own monotonic clock from when it first saw it. The container's age by then
comes from the kernel if the engine runs on this machine, else from the engine's own clock at both ends.

Not covered: a remote engine's clock that is set while nobody watches.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from palio.engines.docker.usage import cgroups

_START_TIME = 19  # of the fields after the program's name in /proc/PID/stat: ticks since boot

Clock = Callable[[], float]


class Stopwatch:
    """Counts from the start of the container, given its age in seconds at this moment."""

    def __init__(self, age_s: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._began = clock() - age_s

    def elapsed_s(self) -> float:
        return self._clock() - self._began


def age_s(client: docker.DockerClient, container: dict[str, Any]) -> float:
    """How long a running container has run, given the engine's description of it."""
    state = container["State"]
    if cgroups(container["Id"], state["Pid"]):
        with suppress(OSError, ValueError, IndexError):
            return process_age_s(state["Pid"])
    now = datetime.fromisoformat(client.info()["SystemTime"])
    return max(0.0, (now - datetime.fromisoformat(state["StartedAt"])).total_seconds())


def process_age_s(pid: int) -> float:
    """How long a process of this machine has run, according to its kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
