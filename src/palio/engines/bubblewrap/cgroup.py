"""cgroups of both versions, where this user may create one: kernel limits on memory, processes and CPU.

Version 1 has a hierarchy per controller: the group is created below this process's own, so that its limits still apply.
In version 2, a group that contains processes cannot have limited children, so the group is created below the outermost
group that this user may change: the root for root, the user's own service for an ordinary desktop user.
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
    """A job's cgroup: the folder of each available controller, possibly none."""

    folders: dict[str, Path]
    version: int

    def limit(self, *, memory_bytes: int, pids: int, cpus: float) -> None:
        quota_us = max(1000, round(cpus * _PERIOD_US))
        if self.version == 1:
            self._write("memory", "memory.limit_in_bytes", memory_bytes)
            with suppress(OSError):  # absent if swap is not counted
                self._write("memory", "memory.memsw.limit_in_bytes", memory_bytes)
            # TCP and UDP socket queues are counted separately, and only if they have a limit.
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
        """Moves this process, and so everything it will start, into the group."""
        for folder in set(self.folders.values()):
            (folder / "cgroup.procs").write_text("0")

    def memory_bytes(self) -> int:
        """Current memory without cached files, which the kernel reclaims on demand."""
        cached = "total_inactive_file" if self.version == 1 else "inactive_file"
        return max(0, self.used_memory_bytes() - self._field("memory", "memory.stat", cached))

    def used_memory_bytes(self) -> int:
        """Current memory including cached files."""
        return self._number("memory", f"memory.{'usage_in_bytes' if self.version == 1 else 'current'}")

    def queued_bytes(self) -> int:
        """Bytes in the queues of network sockets, which version 1 counts separately, and lets each socket exceed a
        little. 0 in version 2, where they count as memory.
        """
        with suppress(OSError):
            return self._number("memory", "memory.kmem.tcp.usage_in_bytes") if self.version == 1 else 0
        return 0

    def peak_memory_bytes(self) -> int:
        """The highest memory use including cached files; 0 if the kernel does not report it."""
        with suppress(OSError):
            return self._number("memory", f"memory.{'max_usage_in_bytes' if self.version == 1 else 'peak'}")
        return 0

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process for memory."""
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
    """Removes groups and kills the processes in them. Ignores missing groups."""
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
    """All folders that `make` may create for this name, to be recorded first so that none is ever lost."""
    mounts, own = dict(_mounts()), dict(_own_groups())
    return [*_places(mounts, own, name).values(), *(outer / name for outer in _outer_groups(mounts, own))]


def make(name: str) -> Cgroup:
    """Creates a group of this name with as many controllers as possible."""
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
    """Folders in version 1."""
    return {
        controller: mounts[controller] / own[controller].lstrip("/") / name
        for controller in CONTROLLERS
        if controller in mounts and controller in own
    }


def _outer_groups(mounts: dict[str, Path], own: dict[str, str]) -> list[Path]:
    """In version 2: this process's own group and its parents that this user may change, outermost first."""
    if "" not in mounts or "" not in own:
        return []
    parts = Path(own[""]).parts[1:]
    outer = [mounts[""].joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    return [folder for folder in outer if os.access(folder / "cgroup.procs", os.W_OK)]


def available() -> frozenset[str]:
    """The controllers that a job would get, found out by creating a group."""
    group = make(f"palio-probe-{os.getpid()}")
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
    """Each controller and its mount point; the unified hierarchy has the name ""."""
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
