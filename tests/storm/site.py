"""The platform that the storm strikes: a real `palio serve` whose data folder is a small file system of its own."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.web.serving.running import Running, is_running, tree

import palio

DISK_BYTES = 420 << 20  # 256 MiB of which have to be free for anything to be started
START_S = 90.0


@dataclass(frozen=True)
class Planted:
    """A fault in a copy of Palio, which the platform then runs from, to see that what the fault does is found."""

    module: str  # as engines/docker/engine.py
    line: str
    instead: str

    def plant(self, folder: Path) -> Path:
        shutil.copytree(Path(palio.__file__).parent, folder / "palio", ignore=shutil.ignore_patterns("__pycache__"))
        module = folder / "palio" / self.module
        text = module.read_text()
        assert text.count(self.line) == 1
        module.write_text(text.replace(self.line, self.instead))
        return folder


class Site:
    """`palio serve` at work in `home`; `has_disk` tells whether its disk is its own, and so may be filled."""

    def __init__(self, home: Path, engine: str, planted: Planted | None = None) -> None:
        self.home, self.engine = home, engine
        self.data, self.cache = home / "data", home / "cache"
        self.data.mkdir()
        self.has_disk = self._mount()
        self._operated = {
            "PALIO_ENGINE": engine,
            "PALIO_ANYONE_ON_BUBBLEWRAP": "true",
            "PALIO_SLOTS": "3",
            "PALIO_CPUS": "16",
            "PALIO_MEMORY_GIB": "16",
            "XDG_CACHE_HOME": str(self.cache),
        }
        if planted is not None:
            self._operated["PYTHONPATH"] = str(planted.plant(home / "planted"))
        self.starts = 0
        self.exit_codes: list[int] = []
        self.seen: set[tuple[int, str]] = set()  # every process of it that was ever found, with when it started
        try:
            self.running = self._begin()
        except BaseException:
            self._unmount()
            raise

    def _mount(self) -> bool:
        if os.geteuid() != 0:
            return False
        options = f"size={DISK_BYTES},mode=0755"
        command = ["mount", "-t", "tmpfs", "-o", options, "palio-storm", str(self.data)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _begin(self) -> Running:
        self.starts += 1
        started = Running(self.data, **self._operated)
        deadline = time.monotonic() + START_S
        try:
            while started.health() is None:
                if started.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the platform does not start:\n{started.said}")
                time.sleep(0.1)
        except BaseException:
            for process in started.tree():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            raise
        return started

    @property
    def address(self) -> str:
        return self.running.address

    def processes(self) -> dict[int, int]:
        found = self.running.tree()
        self.seen |= {(process, _started(process)) for process in found}
        return found

    def controller(self) -> int | None:
        """The process that holds the controller's lock, if it is one of ours and lives."""
        with suppress(OSError, ValueError):
            process = int((self.data / "evaluating.lock").read_text())
            if process in self.processes():
                return process
        return None

    def evaluations(self) -> list[int]:
        """What the controller has started, which evaluates attempts."""
        controller = self.controller()
        return [] if controller is None else sorted(set(tree(controller)) - {controller})

    def web(self) -> list[int]:
        """The processes that answer requests, and those that these have started."""
        supervisor, controller = self.running.process.pid, self.controller()
        charges = [child for child, parent in self.processes().items() if parent == supervisor and child != controller]
        return sorted({process for charge in charges for process in tree(charge)})

    def supervisors(self) -> list[int]:
        """Bubblewrap's, of jobs of this platform."""
        mark = os.fsencode(self.cache / "palio/bubblewrap/jobs")
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                content = path.read_bytes()
                if mark in content and b"bwrap\0" not in content:
                    found.append(int(path.parent.name))
        return sorted(found)

    def restart(self) -> None:
        """Kills all of it at once, and starts it again."""
        self.kill_all()
        self.running = self._begin()

    def kill_all(self) -> None:
        for process in self.processes() or {self.running.process.pid: 0}:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.running.process.wait(20)

    def end(self) -> int:
        """In order, as an operator does it; returns the exit code."""
        self.processes()
        return self.running.end()

    def left_processes(self) -> list[int]:
        return sorted(
            process
            for process, started in self.seen
            if started and started == _started(process) and is_running(process)
        )

    def open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.data / "palio.sqlite3", timeout=30)

    def count(self, query: str) -> int:
        with closing(self.open()) as database:
            return int(database.execute(query).fetchone()[0])

    def wait_until(self, reached: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.25)
        return True

    def close(self) -> None:
        if self.running.process.poll() is None:
            self.kill_all()
        self._unmount()

    def _unmount(self) -> None:
        if self.has_disk:
            subprocess.run(["umount", "--lazy", str(self.data)], check=True)


def _started(process: int) -> str:
    """In the kernel's count, so that a number that was given again is not taken for the same process; "" if gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
