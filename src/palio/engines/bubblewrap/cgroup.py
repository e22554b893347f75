"""Control groups of both versions, where this user may make one: memory, number of processes and CPU by the kernel.

Version 1 has a hierarchy for each controller: the group is made below this process's own, so that its limits go on to
hold. In version 2 a group with processes in it cannot have limited children: there it is made below the outermost
group that this user may change, which is the root for root and the user's own service for an ordinary user's desktop.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from palio.core.quantities import MIB

CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD_US = 100_000
_MOST_QUEUED_BYTES = 32 * MIB
_GONE_S = 10


@dataclass(frozen=True)
class Cgroup:
    """A job's group: for each controller that could be had, its folder. Empty where none could."""

    folders: dict[str, Path]
    version: int

    def limit(self, *, memory_bytes: int, pids: int, cpus: float) -> None:
        quota_us = max(1000, round(cpus * _PERIOD_US))
        if self.version == 1:
            self._write("memory", "memory.limit_in_bytes", memory_bytes)
            with suppress(OSError):  # not there where swap is not counted
                self._write("memory", "memory.memsw.limit_in_bytes", memory_bytes)
            # What is queued in TCP and UDP sockets is counted apart, and not at all without a limit of its own.
            self._write("memory", "memory.kmem.tcp.limit_in_bytes", min(memory_bytes // 8, _MOST_QUEUED_BYTES))
            self._write("cpu", "cpu.cfs_period_us", _PERIOD_US)
            self._write("cpu", "cpu.cfs_quota_us", quota_us)
        else:
            self._write("memory", "memory.max", memory_bytes)
            with suppress(OSError):
                self._write("memory", "memory.swap.max", 0)
                self._write("memory", "memory.oom.group", 1)
            self._write("cpu", "cpu.max", f"{quota_us} {_PERIOD_US}")
        self._write("pids", "pids.max", pids)

    def join(self) -> None:
        """Moves this process, and so all that it will start, into the group."""
        for folder in set(self.folders.values()):
            (folder / "cgroup.procs").write_text("0")

    def memory_bytes(self) -> int:
        """What is used now, less cached files, which the kernel gives back on demand."""
        cached = "total_inactive_file" if self.version == 1 else "inactive_file"
        return max(0, self.used_memory_bytes() - self._field("memory", "memory.stat", cached))

    def used_memory_bytes(self) -> int:
        """What is used now, cached files included."""
        return self._number("memory", f"memory.{'usage_in_bytes' if self.version == 1 else 'current'}")

    def queued_bytes(self) -> int:
        """What is in the queues of network sockets, where it is counted apart: version 1, which lets each socket have
        some even beyond the limit. 0 where it is among the memory.
        """
        with suppress(OSError):
            return self._number("memory", "memory.kmem.tcp.usage_in_bytes") if self.version == 1 else 0
        return 0

    def peak_memory_bytes(self) -> int:
        """The most that was ever used, cached files included; 0 where the kernel does not say."""
        with suppress(OSError):
            return self._number("memory", f"memory.{'max_usage_in_bytes' if self.version == 1 else 'peak'}")
        return 0

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed for memory."""
        name = "oom_control" if self.version == 1 else "events"
        return self._field("memory", f"memory.{name}", "oom_kill") > 0

    def pids(self) -> int:
        return self._number("pids", "pids.current")

    def refused_pids(self) -> bool:
        """Whether a process or thread was refused at the limit."""
        return self._field("pids", "pids.events", "max") > 0

    def remove(self) -> None:
        remove(self.folders.values())

    def _write(self, controller: str, name: str, content: object) -> None:
        if controller in self.folders:
            (self.folders[controller] / name).write_text(str(content))

    def _number(self, controller: str, name: str) -> int:
        return int((self.folders[controller] / name).read_text())

    def _field(self, controller: str, name: str, field: str) -> int:
        for line in (self.folders[controller] / name).read_text().splitlines():
            key, _, content = line.partition(" ")
            if key == field:
                return int(content)
        return 0


def remove(folders: Iterable[Path]) -> None:
    """Removes groups and kills what is left in them; those that are not there are fine."""
    for folder in set(folders):
        deadline = time.monotonic() + _GONE_S
        while time.monotonic() < deadline:
            try:
                folder.rmdir()
            except FileNotFoundError:
                break
            except OSError:
                _kill(folder)
                time.sleep(0.005)
            else:
                break


def _kill(folder: Path) -> None:
    with suppress(OSError):
        (folder / "cgroup.kill").write_text("1")
        return
    with suppress(OSError):  # version 1, and version 2 before Linux 5.14
        for pid in filter(None, map(int, (folder / "cgroup.procs").read_text().split())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def places(name: str) -> list[Path]:
    """Every folder that `make` may make for this name: to be written down before, so that none is ever lost."""
    mounts, own = dict(_mounts()), dict(_own_groups())
    return [*_places(mounts, own, name).values(), *(outer / name for outer in _outer_groups(mounts, own))]


def make(name: str) -> Cgroup:
    """A group of this name for as many of the controllers as can be had."""
    mounts, own = dict(_mounts()), dict(_own_groups())
    folders: dict[str, Path] = {}
    for controller, folder in _places(mounts, own, name).items():
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            folders[controller] = folder
    if folders or not _outer_groups(mounts, own):
        return Cgroup(folders, 1)
    return Cgroup(_make_unified(_outer_groups(mounts, own), name), 2)


def _places(mounts: dict[str, Path], own: dict[str, str], name: str) -> dict[str, Path]:
    """In version 1."""
    return {
        controller: mounts[controller] / own[controller].lstrip("/") / name
        for controller in CONTROLLERS
        if controller in mounts and controller in own
    }


def _outer_groups(mounts: dict[str, Path], own: dict[str, str]) -> list[Path]:
    """In version 2: this process's own group and those around it that this user may change, outermost first."""
    if "" not in mounts or "" not in own:
        return []
    parts = Path(own[""]).parts[1:]
    outer = [mounts[""].joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    return [folder for folder in outer if os.access(folder / "cgroup.procs", os.W_OK)]


def available() -> frozenset[str]:
    """The controllers that a job would get, found out by making a group."""
    group = make(f"palio-trial-{os.getpid()}")
    try:
        return frozenset(group.folders)
    finally:
        group.remove()


def _make_unified(outer_groups: Iterable[Path], name: str) -> dict[str, Path]:
    for outer in outer_groups:
        folder = outer / name
        with suppress(OSError):
            for controller in CONTROLLERS:
                with suppress(OSError):
                    (outer / "cgroup.subtree_control").write_text(f"+{controller}")
            folder.mkdir(exist_ok=True)
            had = (folder / "cgroup.controllers").read_text().split()
            if folders := {controller: folder for controller in CONTROLLERS if controller in had}:
                return folders
            folder.rmdir()
    return {}


def _mounts() -> Iterator[tuple[str, Path]]:
    """Controller and where its hierarchy is mounted; the unified hierarchy has the name ""."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, options, *_ = line.split(" ")
        if kind == "cgroup2":
            yield "", Path(target)
        elif kind == "cgroup":
            for option in options.split(","):
                yield option, Path(target)


def _own_groups() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path
