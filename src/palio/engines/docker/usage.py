"""Measures a running job's resource use: its container's counters and its volume.

The counters are the kernel's own if the engine runs on this machine. Otherwise (Docker Desktop, another host) a thread
asks the engine, which takes up to a second to respond, so short peaks are missed. So are,
with cgroup version 1, numbers of processes between two polls, because it has no peak of them.
"""

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException

from palio.engines.docker.connection import connect

CGROUPS = Path("/sys/fs/cgroup")
_CPU_FIELD = "usage_usec"


class Usage:
    """The peaks of one container observed so far; None if nothing was observed."""

    def __init__(self, name: str) -> None:
        self.peak_memory_bytes: int | None = None
        self.peak_pids: int | None = None
        self.cpu_s: float | None = None
        self._name = name
        self._groups: Mapping[str, Path] = {}
        self._sampler: threading.Thread | None = None
        self._ended = threading.Event()

    def sample(self, container_id: str, pid: int) -> None:
        """Reads the current counters. `pid` is the container's first process in the engine's numbering."""
        self._groups = self._groups or cgroups(container_id, pid)
        if self._groups:
            self._take_counters(self._groups)
        elif self._sampler is None:
            self._sampler = threading.Thread(target=self._ask, name=f"{self._name}-usage", daemon=True)
            self._sampler.start()

    def close(self) -> None:
        self._ended.set()

    def _take_counters(self, groups: Mapping[str, Path]) -> None:
        memory, pids, cpu = groups.get("memory"), groups.get("pids"), groups.get("cpuacct")
        if memory:
            self._see_memory(
                _number(memory / "memory.peak")  # cgroup v2
                or _number(memory / "memory.max_usage_in_bytes")  # cgroup v1
                or _number(memory / "memory.current")  # cgroup v2 before Linux 5.19
            )
        if pids:
            self._see_pids(_number(pids / "pids.peak") or _number(pids / "pids.current"))
        if cpu:
            nanoseconds = _number(cpu / "cpuacct.usage")
            microseconds = _number(cpu / "cpu.stat", _CPU_FIELD)
            self.cpu_s = nanoseconds / 1e9 if nanoseconds else microseconds / 1e6 if microseconds else self.cpu_s

    def _see_memory(self, used_bytes: int | None) -> None:
        self.peak_memory_bytes = max(self.peak_memory_bytes or 0, used_bytes or 0) or None

    def _see_pids(self, count: int | None) -> None:
        self.peak_pids = max(self.peak_pids or 0, count or 0) or None

    def _ask(self) -> None:
        # A missed sample is not worth an error.
        with suppress(APIError, DockerException, requests.RequestException, OSError):
            client = connect()
            while not self._ended.wait(0.2):
                stats: dict[str, Any] = client.api.stats(self._name, stream=False, one_shot=True)
                memory = stats.get("memory_stats", {})
                self._see_memory(memory.get("max_usage") or memory.get("usage"))
                self._see_pids(stats.get("pids_stats", {}).get("current"))
                if total := stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage"):
                    self.cpu_s = total / 1e9
            client.close()


def cgroups(container_id: str, pid: int) -> dict[str, Path]:
    """The container's cgroups by controller, or none if `pid` is not one of its processes on this machine."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return {}
    groups: dict[str, Path] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if container_id not in path:
            continue
        for controller in controllers.split(","):
            groups[controller] = CGROUPS / controllers / path.lstrip("/")
    unified = groups.pop("", None)  # v2 has one group for all; if both versions are mounted, v1 applies
    return groups or (dict.fromkeys(("memory", "pids", "cpuacct"), unified) if unified else {})


def _number(file: Path, field: str | None = None) -> int | None:
    try:
        text = file.read_text()
        if field:
            text = next(line.split()[1] for line in text.splitlines() if line.startswith(f"{field} "))
        return int(text)
    except (OSError, ValueError, StopIteration):
        return None


def volumes_are_in_reach(client: docker.DockerClient, root: Path) -> bool:
    """Whether this process can read what jobs write to volumes: as root, on the engine's own machine.

    `root` is the engine's data folder.
    """
    on_this_machine = client.api.base_url.startswith("http+docker://")  # a Unix socket
    return on_this_machine and os.geteuid() == 0 and root.is_dir()


def volume_folder(client: docker.DockerClient, volume: str) -> Path:
    """The folder of the volume's files on the engine's machine."""
    return Path(client.api.inspect_volume(volume)["Mountpoint"])
