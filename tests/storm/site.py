"""The platform that the storm strikes: a real `palio serve` whose data folder is a small file system of its own."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from tests.engines.kubernetes.cluster import of_cluster
from tests.storm.clock import Clock, clock_fault
from tests.storm.processes import is_same, started
from tests.web.postgresql import Server
from tests.web.serving.running import Running, environment, tree

import palio

_LEASES = "SELECT process FROM palio_controllerbeat WHERE expires > now()"
_COPY = """
import sys
from pathlib import Path
from palio.web.serving.database_conversion import copy_postgresql
copy_postgresql(Path(sys.argv[1]))
"""
Unavailable = (sqlite3.OperationalError, psycopg.OperationalError)  # a full disk, a lock, a server that was killed
DISK_BYTES = 420 << 20  # 256 MiB of which have to be free for anything to be started
START_S = 180.0
_AT_START = ("(database-unusable)", "(disk-full)")


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
    """`palio serve` at work in `home`; `has_disk` tells whether its disk is its own, and so may be filled. With a
    PostgreSQL server, a second controller shares the work.
    """

    def __init__(
        self,
        home: Path,
        engine: str,
        planted: Planted | None = None,
        postgresql: Server | None = None,
        *,
        has_disk: bool = False,
    ) -> None:
        self.home, self.engine, self.postgresql, self.has_disk = home, engine, postgresql, has_disk
        self.data, self.cache = home / "data", home / "cache"
        self._operated = {
            "PALIO_ENGINE": engine,
            "PALIO_ANYONE_ON_BUBBLEWRAP": "true",
            "PALIO_SLOTS": "3",
            "PALIO_CPUS": "16",
            "PALIO_MEMORY_GIB": "16",
            "XDG_CACHE_HOME": str(self.cache),
            "PYTHONFAULTHANDLER": "1",
            **(of_cluster() if engine == "kubernetes" else {}),
        }
        if postgresql is not None:
            self._operated["DATABASE_URL"] = postgresql.url
        if planted is not None:
            self._operated["PYTHONPATH"] = str(planted.plant(home / "planted"))
        # One for each of those that are started by themselves, and whose clocks so may differ.
        names = ("first", *(["second"] if postgresql is not None else [])) if clock_fault() is None else ()
        self.clocks = [Clock(home, name) for name in names]
        self.seen: set[tuple[int, str]] = set()  # every process of it that was ever found, with when it started
        self.second: Running | None = None
        self.running = self._begin()

    def _begin(self) -> Running:
        started = self._run("serve")
        deadline = time.monotonic() + START_S
        try:
            while started.health() is None:
                if time.monotonic() > deadline:
                    started.process.send_signal(signal.SIGABRT)  # it says where it is
                    started.process.wait(20)
                    raise RuntimeError(f"the platform does not start:\n{started.said}")
                if could_not_start(started):
                    started = self._run("serve")
                elif started.process.poll() is not None:
                    raise RuntimeError(f"the platform does not start:\n{started.said}")
                time.sleep(0.1)
        except BaseException:
            for process in started.tree():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            raise
        if self.postgresql is not None:
            self.second = self._run("controller")
        return started

    def _run(self, command: str) -> Running:
        clock = self.clocks[0 if command == "serve" else -1].environment if self.clocks else {}
        return Running(self.data, command=command, **self._operated, **clock)

    def revive(self) -> None:
        """As a service manager does, where a second controller could not start."""
        if self.second is not None and could_not_start(self.second):
            self.second = self._run("controller")

    def ended(self) -> list[str]:
        """What has ended by itself, as nothing that is struck may do."""
        return [
            f"a platform's supervisor ended with exit code {each.process.returncode}: {each.said[-500:]}"
            for each in self._all_running
            if each.process.poll() is not None and not could_not_start(each)
        ]

    @property
    def _all_running(self) -> list[Running]:
        return [self.running, *([self.second] if self.second is not None else [])]

    @property
    def address(self) -> str:
        return self.running.address

    def processes(self) -> dict[int, int]:
        found = {process: parent for each in self._all_running for process, parent in each.tree().items()}
        self.seen |= {(process, started(process)) for process in found}
        return found

    def controllers(self) -> list[int]:
        """The processes that have the controller's lock or, with PostgreSQL, a lease, if they are ours and live."""
        ours = self.processes()
        with suppress(OSError, ValueError, *Unavailable):
            if self.postgresql is None:
                named = [(self.data / "evaluating.lock").read_text()]
            else:
                named = [row[0].rpartition(":")[2] for row in self._rows(_LEASES)]
            return sorted({int(process) for process in named if process.strip()} & set(ours))
        return []

    def evaluations(self) -> list[int]:
        """What the controllers have started, which evaluates attempts."""
        controllers = self.controllers()
        return sorted({process for each in controllers for process in tree(each)} - {*controllers})

    def web(self) -> list[int]:
        """The processes that answer requests, and those that these have started."""
        supervisor, controllers = self.running.process.pid, {*self.controllers()}
        children = [child for child, parent in self.processes().items() if parent == supervisor]
        charges = [child for child in children if child not in controllers]
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
        for process in {*self.processes(), *(each.process.pid for each in self._all_running)}:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for each in self._all_running:
            each.process.wait(20)

    def end(self) -> int:
        """In order, as an operator does it; returns the exit code."""
        self.processes()
        codes = [each.end() for each in self._all_running]
        if self.postgresql is not None:
            self._copy_database()
        return max(codes, key=abs)

    def _copy_database(self) -> None:
        """As SQLite, which is what the findings read; so the conversion is judged too."""
        given = environment(**self._operated, PALIO_DATA=str(self.data), DJANGO_SETTINGS_MODULE="palio.web.settings")
        subprocess.run([sys.executable, "-c", _COPY, str(self.data / "palio.sqlite3")], env=given, check=True)

    def left_processes(self) -> list[int]:
        return sorted(process for process, since in self.seen if is_same(process, since))

    def open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.data / "palio.sqlite3", timeout=30)

    def count(self, query: str) -> int:
        return int(self._rows(query)[0][0])

    def is_settled(self, query: str) -> bool:
        """Whether the query counts nothing; not while there is no answer."""
        try:
            return self.count(query) == 0
        except Unavailable:
            return False

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.postgresql is not None:
            with psycopg.connect(self.postgresql.url, connect_timeout=5, options="-c statement_timeout=30s") as there:
                return there.execute(query).fetchall()
        with closing(self.open()) as database:
            return database.execute(query).fetchall()

    def wait_until(self, reached: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.25)
        return True

    def close(self) -> None:
        if any(each.process.poll() is None for each in self._all_running):
            self.kill_all()


def could_not_start(running: Running) -> bool:
    """Whether it ended because the database did not respond, or the disk was full, when it started. Later, it waits."""
    return running.process.poll() is not None and any(code in running.said for code in _AT_START)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Makes the folder, with a disk of its own; False if only root could mount it."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0755", "palio-storm", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
