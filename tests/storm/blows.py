"""What strikes the platform: SIGKILL, write locks on its database, and full disks. Dockerd is never touched.

On Kubernetes also: the cluster's processes killed, and pods and jobs deleted. With PostgreSQL also: its server killed,
one of its connections killed (which makes it recover), and a controller that is paused with all that it has started
until its lease has expired. The clock that is turned is that of the platform's own processes, and with PostgreSQL that
of one of both controllers; tests/web/controller/test_lease.py turns the database's.
"""

import math
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

import psycopg
from tests.engines.second_docker import Daemon
from tests.storm.cluster import ControlPlane, StormCluster
from tests.storm.site import Site, Unavailable
from tests.web.serving.running import tree

from palio.web.controller.lease_clock import LEASE_S

DOWN_S = (0.1, 6.0)
PAUSED_S = (LEASE_S + 1, LEASE_S + 8)
LOCK_S = (3.0, 25.0)
FULL_S = (2.0, 10.0)
SOON_S = 10.0
TURNED_S = (60.0, 4 * 3600.0)
CLUSTER = {"etcd": 6, "apiserver": 16, "controller-manager": 8, "scheduler": 6, "kubelet": 14}  # weights
_BLOCK_BYTES = 1 << 20


class Blows:
    """Each blow returns whether it struck; what lasts, as a lock, goes on beside others, one of a kind at a time."""

    def __init__(
        self,
        site: Site,
        chance: random.Random,
        *,
        cluster: StormCluster | None = None,
        docker: Daemon | None = None,
    ) -> None:
        self._site, self._chance, self._cluster = site, chance, cluster
        self._lasting: dict[str, threading.Thread] = {}
        self._stop = threading.Event()
        self.failures: list[str] = []
        kinds: list[tuple[str, int, Callable[[], bool]]] = [
            ("kill the controller", 14, lambda: self._kill(site.controllers())),
            ("kill an evaluation", 14, lambda: self._kill(site.evaluations())),
            ("kill a sandbox's supervisor", 14, lambda: self._kill(self._soon(site.supervisors))),
            ("kill a web process", 12, lambda: self._kill(site.web())),
            ("kill the whole platform", 20, self._restart),
            ("lock the database", 10, lambda: self._last("lock", self._lock)),
            ("fill the disk", 8, lambda: self._last("full", self._fill)),
        ]
        if site.clocks:
            kinds.append(("turn the clock", 12, self._turn))
        if site.postgresql is not None:
            kinds += [
                ("kill PostgreSQL", 14, self._kill_postgresql),
                ("kill a connection of PostgreSQL", 8, lambda: self._kill(self._connections())),
                ("pause a controller past its lease", 8, lambda: self._last("pause", self._pause)),
            ]
        if docker is not None:
            kinds.append(("kill the Docker engine", 8, partial(self._kill_docker, docker)))
        if cluster is not None:
            kinds += [
                ("delete a pod", 12, lambda: cluster.delete_pod(chance)),
                ("delete a job", 6, lambda: cluster.delete_job(chance)),
            ]
        if cluster is not None and (plane := cluster.plane) is not None:
            kinds += [(f"kill {name}", CLUSTER[name], partial(self._kill_component, plane, name)) for name in CLUSTER]
        if site.engine != "bubblewrap":
            kinds = [kind for kind in kinds if "sandbox" not in kind[0]]
        self.kinds = kinds if site.has_disk else [kind for kind in kinds if "disk" not in kind[0]]

    def strike(self) -> str | None:
        """The kind of blow, by chance; None if there was nothing of the kind to strike."""
        names, weights, acts = zip(*self.kinds, strict=True)
        (number,) = self._chance.choices(range(len(names)), weights)
        return names[number] if acts[number]() else None

    def calm(self, seconds: float) -> None:
        """Returns when an attempt has ended, or after `seconds`."""
        before = self._ended()
        self._site.wait_until(lambda: self._ended() > before, seconds)

    def _ended(self) -> int:
        try:
            return self._site.count("SELECT count(*) FROM palio_attempt WHERE finished IS NOT NULL")
        except Unavailable:
            return 0

    def end(self) -> None:
        """Lets go of what lasts."""
        self._stop.set()
        for thread in self._lasting.values():
            thread.join()
        for clock in self._site.clocks:
            clock.turn(0)

    def _connections(self) -> list[int]:
        assert self._site.postgresql is not None
        return self._site.postgresql.processes()[1:]

    def _kill_postgresql(self) -> bool:
        assert self._site.postgresql is not None
        self._site.postgresql.kill()
        self._stop.wait(self._chance.uniform(*DOWN_S))
        self._site.postgresql.start()
        return True

    def _kill_docker(self, docker: Daemon) -> bool:
        docker.end(signal.SIGKILL)
        self._stop.wait(self._chance.uniform(*DOWN_S))
        docker.start()
        return True

    def _kill_component(self, plane: ControlPlane, name: str) -> bool:
        return plane.kill(name, self._chance.uniform(*DOWN_S))

    def _pause(self, seconds: float) -> None:
        """With its workers, as on a machine that is suspended; the sandboxes go on."""
        controllers = self._site.controllers()
        if not controllers:
            return
        paused = [*tree(self._chance.choice(controllers))]
        try:
            for process in paused:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
            self._stop.wait(seconds)
        finally:
            for process in paused:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def _turn(self) -> bool:
        """As a time server does that corrects a clock, until the next time. With a cluster only forward: it says that
        certificates are not valid yet that were made when it was started.
        """
        seconds = round(math.exp(self._chance.uniform(*map(math.log, TURNED_S))))
        sign = 1 if self._site.engine == "kubernetes" else self._chance.choice((1, -1))
        self._chance.choice(self._site.clocks).turn(sign * seconds)
        return True

    def _soon(self, find: Callable[[], list[int]]) -> list[int]:
        """What lives for a moment only is waited for, and is then at any stage of its life."""
        self._site.wait_until(lambda: find() != [], SOON_S)
        self._stop.wait(self._chance.uniform(0, 0.5))
        return find()

    def _kill(self, processes: list[int]) -> bool:
        if not processes:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._chance.choice(processes), signal.SIGKILL)
            return True
        return False

    def _restart(self) -> bool:
        if self._is_full():  # a platform does not start on a full disk, and says so; an operator would free some first
            return False
        self._site.restart()
        return True

    def _is_full(self) -> bool:
        thread = self._lasting.get("full")
        return thread is not None and thread.is_alive()

    def _last(self, kind: str, act: Callable[[float], None]) -> bool:
        thread = self._lasting.get(kind)
        if thread is not None and thread.is_alive():
            return False
        seconds = self._chance.uniform(*{"lock": LOCK_S, "full": FULL_S, "pause": PAUSED_S}[kind])
        self._lasting[kind] = threading.Thread(target=self._noting, args=(act, seconds))
        self._lasting[kind].start()
        return True

    def _noting(self, act: Callable[[float], None], seconds: float) -> None:
        try:
            act(seconds)
        except Exception as error:  # noqa: BLE001 - a storm that does not strike has to be told from one that did
            self.failures.append(f"{act.__name__}: {type(error).__name__}: {error}")

    def _lock(self, seconds: float) -> None:
        """As a backup, an administrator's shell or a slow disk would: nobody else can write."""
        if self._site.postgresql is not None:
            with suppress(psycopg.OperationalError), psycopg.connect(self._site.postgresql.url) as there:
                there.execute("LOCK TABLE palio_attempt IN EXCLUSIVE MODE")
                self._stop.wait(seconds)
                there.rollback()
            return
        with closing(self._site.open()) as database:
            database.isolation_level = None
            for _ in range(20):
                with suppress(sqlite3.OperationalError):  # others are writing, or the disk is full
                    database.execute("BEGIN IMMEDIATE")
                    break
            else:
                return
            self._stop.wait(seconds)
            database.execute("ROLLBACK")

    def _fill(self, seconds: float) -> None:
        """Takes all that is free on the platform's own small disk, until its end."""
        ballast = self._site.data / "ballast"
        begin = time.monotonic()
        try:
            with ballast.open("wb", buffering=0) as file:
                while time.monotonic() - begin < seconds and not self._stop.is_set():
                    with suppress(OSError):
                        for _ in range(64):
                            file.write(bytes(_BLOCK_BYTES))
                    self._stop.wait(0.05)
        finally:
            ballast.unlink(missing_ok=True)
