"""How long a container has run, by clocks that nobody sets.

A process that watches a container counts with its own monotonic clock from when it first saw it. How old the container
was by then is said by the kernel where the engine runs on this machine, else by the engine's own clock, at both ends.

Not covered: the clock of another machine's engine that is set while nobody watches.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from palio.engines.docker.usage import control_groups

_START_TIME = 19  # of the fields behind the program's name in /proc/PID/stat: ticks since the machine was started

Clock = Callable[[], float]


class Stopwatch:
    """Counts from when the container was started, given its age in seconds at this moment."""

    def __init__(self, age_s: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._began = clock() - age_s

    def elapsed_s(self) -> float:
        return self._clock() - self._began


def age_s(client: docker.DockerClient, container: dict[str, Any]) -> float:
    """For how long a running container has run, given what the engine says of it."""
    state = container["State"]
    if control_groups(container["Id"], state["Pid"]):
        with suppress(OSError, ValueError, IndexError):
            return process_age_s(state["Pid"])
    now = datetime.fromisoformat(client.info()["SystemTime"])
    return max(0.0, (now - datetime.fromisoformat(state["StartedAt"])).total_seconds())


def process_age_s(pid: int) -> float:
    """For how long a process of this machine has run, as its kernel counts."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
