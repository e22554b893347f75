"""A storm: submissions keep arriving at a real platform while it is struck, and at the end all has to be in order."""

import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.participant import SLUG, join_as_several
from tests.docker_command import docker_if_any, remove_images
from tests.engines.second_docker import Daemon, second_docker, second_docker_fault
from tests.storm import findings
from tests.storm.blows import Blows
from tests.storm.challenge import LABEL, Expected, write_challenge, write_submission
from tests.storm.clock import clock_fault
from tests.storm.cluster import storm_cluster
from tests.storm.site import Planted, Site, Unavailable, small_disk
from tests.storm.starts import Starts
from tests.web import postgresql

from palio.client import Connection
from palio.client.submitting import submit
from palio.client.uploading import upload_file
from palio.core.errors import Cause, PalioError

WAITING = 6  # submissions that are kept in the queue, so that there is always work
TEAMS = 8  # each of which may have one submission on its way
GUST, LULL_S = 5, 120.0  # blows, and how long they then stop at most; a busy machine needs that
PAUSE_S = (0.3, 3.5)
READY_S = 60.0  # until the first of them are there
COLLECTED_S = 180.0  # until a cluster has removed what belongs to jobs that are gone
SETTLE_S = 900.0  # what is tried again after a fault waits for 6 minutes at the longest
_PENDING = "SELECT count(*) FROM palio_attempt WHERE state NOT IN ('scored', 'failed', 'cancelled')"

_NOT_LATER = {
    "sqlite": "AND NOT (state = 'queued' AND not_before > strftime('%Y-%m-%d %H:%M:%f', 'now'))",
    "postgresql": "AND NOT (state = 'queued' AND not_before > now())",
}


@dataclass
class Report:
    seed: int
    engine: str
    database: str = "sqlite"
    struck: Counter[str] = field(default_factory=Counter)
    missed: int = 0  # nothing of the kind was there to strike
    submissions: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    given_up: int = 0
    kubelets_mounts: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)
    data: Path = Path()
    accepted: dict[str, Expected] = field(default_factory=dict)
    starts: Counter[str] | None = None

    def judge(self) -> list[str]:
        return findings.judge(self.data, self.accepted, self.starts)

    def shown(self) -> str:
        lines = [f"storm on {self.engine} with {self.database}, seed {self.seed}: {self.seconds:.0f} s"]
        lines += [f"  {many:>5}  {kind}" for kind, many in sorted(self.struck.items())]
        lines.append(f"  {self.submissions:>5}  submissions in {self.attempts} attempts")
        lines += [f"  {many:>5}    ended as {end}" for end, many in sorted(self.ends.items())]
        lines.append(f"  {self.given_up:>5}    of them given up after all tries, as the platform's fault")
        lines += [] if self.starts is not None else ["         the starts of jobs were not counted, which needs root"]
        lines += [f"         {fault}"] if (fault := clock_fault()) else []
        if self.kubelets_mounts:
            lines.append(f"  {self.kubelets_mounts:>5}  mounts that a killed kubelet left")
        lines.append(f"  {len(self.findings):>5}  findings")
        return "\n".join([*lines, *(f"         {each}" for each in self.findings)])


class Submitter:
    """Submits as `palio submit` does, for several teams; `accepted` is what the platform acknowledged."""

    def __init__(self, site: Site, tokens: list[str], folder: Path, chance: random.Random, most: int) -> None:
        self._site, self._folder, self._chance = site, folder, chance
        self._stop, self._gives_up = threading.Event(), False
        self.accepted: dict[str, Expected] = {}
        self.failures: list[str] = []
        self._numbers = iter(range(1, most + 1))
        self._threads = [threading.Thread(target=self._run, args=(token,)) for token in tokens]
        for thread in self._threads:
            thread.start()

    def give_up(self) -> None:
        """Also if it cannot arrive, because the storm broke."""
        self._gives_up = True
        self.end()

    def end(self) -> None:
        """Returns once what is on its way has arrived."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, token: str) -> None:
        try:
            self._submit_all(token)
        except Exception as error:  # noqa: BLE001 - told at the end, as a storm without submissions shows nothing
            self.failures.append(f"{type(error).__name__}: {error}")

    def _has_enough(self) -> bool:
        try:
            database = "sqlite" if self._site.postgresql is None else "postgresql"
            return self._site.count(f"{_PENDING} {_NOT_LATER[database]}") >= WAITING
        except Unavailable:
            return True

    def _submit_all(self, token: str) -> None:
        for number in self._numbers:
            while self._has_enough() and not self._stop.is_set():
                self._stop.wait(0.2)
            if self._stop.is_set():
                return
            expected = write_submission(self._folder, number, self._chance)
            while (submission := self._submit(expected.name, token)) is None:
                if self._stop.wait(0.5) and (self._gives_up or self._site.running.process.poll() is not None):
                    return  # nobody is there any more to take it
            self.accepted[submission] = expected

    def _submit(self, name: str, token: str) -> str | None:
        """The submission's id; None if the platform could not take it just now."""
        connection = Connection(self._site.address, token, pauses_s=(0.2, 0.5, 1, 2, 4))
        try:
            for each in connection.all_of(f"/challenges/{SLUG}/submissions"):
                if each["file"]["name"] == name:  # it had arrived, and only the answer was lost
                    return str(each["id"])
            file = upload_file(connection, SLUG, self._folder / name)
            return str(submit(connection, SLUG, file["id"])["id"])
        except PalioError as error:
            if error.failure.cause is Cause.PARTICIPANT and error.failure.code != "submission-running":
                raise
            return None  # it is down, its disk is full, its database is locked; or the team's last has not ended


@contextmanager
def own_docker() -> Iterator[Daemon]:
    """A Docker engine that may be killed, as the one that DOCKER_HOST names."""
    before = os.environ.get("DOCKER_HOST")
    with second_docker() as daemon:
        os.environ["DOCKER_HOST"] = daemon.address
        try:
            yield daemon
        finally:
            if before is None:
                del os.environ["DOCKER_HOST"]
            else:
                os.environ["DOCKER_HOST"] = before


@contextmanager
def storm(
    seed: int,
    engine: str,
    *,
    blows: int,
    seconds: float,
    submissions: int = 900,
    settle_s: float = SETTLE_S,
    say: Callable[[str], None] = print,
    planted: Planted | None = None,
    database: str = "sqlite",
) -> Iterator[Report]:
    """Gives the report of a storm that is over; what it left on disk goes afterwards."""
    chance = random.Random(seed)
    report, begin = Report(seed, engine, database), time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="palio-storm-", dir="/var/tmp"))
    before_cache, groups = os.environ.get("XDG_CACHE_HOME"), findings.empty_groups()
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    site, starts, submitter, struck = None, None, None, None
    held = ExitStack()
    try:
        server = held.enter_context(postgresql.server()) if database == "postgresql" else None
        cluster = held.enter_context(storm_cluster()) if engine == "kubernetes" else None
        has_disk = held.enter_context(small_disk(home / "data"))
        # An engine of its own, which sees what was mounted before.
        docker = held.enter_context(own_docker()) if engine == "docker" and second_docker_fault() is None else None
        site = Site(home, engine, planted, server, has_disk=has_disk)
        starts = Starts(engine, home, site.cache)
        bundle = write_challenge(home / "bundle", chance)
        tokens = join_as_several(site.data, bundle, TEAMS, server.url if server is not None else "")
        (home / "submissions").mkdir()
        submitter = Submitter(site, tokens, home / "submissions", random.Random(seed + 1), submissions)
        struck = Blows(site, chance, cluster=cluster, docker=docker)
        ready = min(WAITING // 2, submissions)
        site.wait_until(lambda: len(submitter.accepted) >= ready, READY_S)
        deadline = begin + seconds
        while report.struck.total() < blows and time.monotonic() < deadline:
            time.sleep(chance.uniform(*PAUSE_S))
            site.revive()
            if kind := struck.strike():
                report.struck[kind] += 1
                if report.struck.total() % GUST == 0:  # something has to get through, or only starting is tested
                    struck.calm(LULL_S)
                if report.struck.total() % 20 == 0:
                    say(f"  {report.struck.total()} blows, {len(submitter.accepted)} submissions")
            else:
                report.missed += 1
            if ended := site.ended():
                report.findings += ended
                break
        struck.end()
        submitter.end()
        site.revive()
        is_settled = site.wait_until(lambda: site.is_settled(_PENDING), settle_s)
        if cluster is None:
            time.sleep(3)  # what ended attempts left on the engine is removed
        else:  # of which the kubelet looks for containers once a minute
            site.wait_until(lambda: cluster.left() == [], COLLECTED_S)
        code = site.end()
        left = findings.empty_groups() - groups
        time.sleep(2)  # others' jobs may just be starting or ending
        left &= findings.empty_groups()
        counted = starts.end()
        report.findings += [f"the storm did not strike: {each}" for each in (*struck.failures, *submitter.failures)]
        report.findings += [] if is_settled else [f"not everything has ended after {settle_s:g} s"]
        report.findings += [f"the platform ended with exit code {code}"] if code else []
        if cluster is not None:
            report.findings += [f"left over: {each}" for each in cluster.left()]
            report.kubelets_mounts = len(cluster.kubelets_mounts())
            report.findings += cluster.plane.failures if cluster.plane is not None else []
        report.findings += [f"the process {each} is left" for each in site.left_processes()]
        report.findings += [f"left over: {each}" for each in sorted(left)]
        report.data, report.accepted, report.starts = site.data, submitter.accepted, counted
        report.findings += report.judge()
        report.submissions = len(submitter.accepted)
        report.given_up = findings.platform_faults(site.data)
        report.attempts, report.ends = findings.ends(site.data)
        report.seconds = time.monotonic() - begin
        yield report
    finally:
        if submitter is not None:
            submitter.give_up()
        for each in (struck, starts):
            if each is not None:
                each.end()
        if site is not None:
            if report.findings and os.environ.get("PALIO_STORM_KEEP"):
                shutil.copytree(home, os.environ["PALIO_STORM_KEEP"], symlinks=True, dirs_exist_ok=True)
            site.close()
        remove_images(*_images_of(home))
        held.close()
        shutil.rmtree(home, ignore_errors=True)
        if before_cache is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before_cache


def _images_of(home: Path) -> set[str]:
    own = ("--filter", f"label={LABEL}={home.name}", "--filter", "dangling=false")
    return set(docker_if_any("image", "ls", *own, "--format", "{{.Repository}}:{{.Tag}}"))
