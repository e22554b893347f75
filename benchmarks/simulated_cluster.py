"""Where the controllers bend: thousands of attempts at once, a hundred thousand behind them, and no engine.

Real controllers, each a process of its own, share one PostgreSQL database. Their workers are models: each attempt is
built, predicts and is scored in the time that it draws, and then reports its result. So what is measured is what
controllers and database decide: starts, changes of stage, ends.

    python -m benchmarks.simulated_cluster [--jobs 5000] [--queued 100000] [--controllers 1 2 4] [--seconds 60]

Attempts last SHORTEST_S to LONGEST_S, so short that the controllers are always behind. Real ones last minutes; how many
of these a cluster can run at once is the rate that is measured times their duration.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.measuring import Line

if TYPE_CHECKING:
    from palio.web.controller.attempt_result import Outcome

SHORTEST_S, LONGEST_S = 2.0, 20.0
JOBS, QUEUED, TEAMS, CHALLENGES = 5_000, 100_000, 2_000, 20
SMALL_JOBS, SMALL_QUEUED, SMALL_S = 500, 10_000, 10.0
MIB = 1024


@dataclass(frozen=True)
class Report:
    """Of one controller: seconds of its ticks, MiB of memory at the most, attempts that it had at the most."""

    ticks_s: list[float]
    memory_mib: float
    most: int


def lines(jobs: int, queued: int, controllers: Sequence[int], seconds: float) -> list[Line]:
    from tests.web.postgresql import cluster, database

    found = []
    with cluster() as server:
        for many in controllers:
            with database(server) as url:
                found += _measured(url, jobs, queued, many, seconds)
    return found


def small() -> list[Line]:
    return lines(SMALL_JOBS, SMALL_QUEUED, [1, 2], SMALL_S)


def _measured(url: str, jobs: int, queued: int, many: int, seconds: float) -> list[Line]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    setting = os.environ | {"PALIO_DATA": str(home / "data"), "PALIO_DATABASE_URL": url}
    setting |= {"DJANGO_SETTINGS_MODULE": "palio.web.settings", "PALIO_SLOTS": str(-(-jobs // many))}
    setting |= {"PALIO_CPUS": "100000", "PALIO_MEMORY_GIB": "1000000", "PALIO_ENGINE": "docker"}
    program = [sys.executable, "-m", "benchmarks.simulated_cluster"]
    try:
        subprocess.run([*program, "--fill", str(queued)], check=True, env=setting)
        command = [*program, "--control", str(seconds)]
        running = [subprocess.Popen(command, env=setting, stdout=subprocess.PIPE, text=True) for _ in range(many)]
        reports = [Report(**json.loads(process.communicate()[0])) for process in running]
        counted = subprocess.run([*program, "--count"], check=True, env=setting, capture_output=True, text=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    counts = json.loads(counted.stdout)
    decisions = counts["started"] + counts["moved"] + counts["ended"]
    ticks = sorted(tick for report in reports for tick in report.ticks_s)
    title = f"simulated cluster, {jobs:,} jobs at once, {queued:,} queued, {many} controller{'s' if many > 1 else ''}"
    return [
        Line(f"{title}: decisions", decisions / seconds, "per s"),
        Line(f"{title}: attempts ended", counts["ended"] / seconds, "per s"),
        Line(f"{title}: running at the most", sum(report.most for report in reports), "attempts"),
        Line(f"{title}: a tick", statistics.median(ticks), "s", lowest=ticks[0], highest=ticks[-1], runs=len(ticks)),
        Line(f"{title}: memory of a controller", max(report.memory_mib for report in reports), "MiB"),
    ]


# -- in processes of their own


def _fill(queued: int) -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone
    from tests.bundles import write_bundle
    from tests.web.submission_files import context_zip, digest
    from tests.web.world import make_challenge

    from palio.web.models import Attempt, Challenge, StoredFile, Submission, Team, User
    from palio.web.storage.files import file_path, keep_bundle

    home = settings.FOLDERS.root
    settings.FOLDERS.make()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    content = context_zip()
    file_path(settings.FOLDERS, digest(content)).parent.mkdir()
    file_path(settings.FOLDERS, digest(content)).write_bytes(content)
    bundle = keep_bundle(settings.FOLDERS, write_bundle(home / "bundle"))
    users = User.objects.bulk_create([User(username=f"user{number}") for number in range(TEAMS)])
    challenges = [
        make_challenge(f"challenge-{number}", bundle, users[number], Challenge.Visibility.PUBLISHED)
        for number in range(CHALLENGES)
    ]
    teams = Team.objects.bulk_create(
        [Team(challenge=challenges[n % CHALLENGES], name=f"Team {n}", captain=user) for n, user in enumerate(users)]
    )
    shared = {"name": "a.zip", "kind": "context", "size_bytes": len(content), "sha256": digest(content)}
    files = StoredFile.objects.bulk_create([StoredFile(team=t, created_by=t.captain, **shared) for t in teams])
    now = timezone.now()
    for begin in range(0, queued, 10_000):
        made = [
            Submission(challenge=file.team.challenge, phase="Final", team=file.team, user=file.created_by, file=file)
            for file in (files[number % TEAMS] for number in range(begin, min(begin + 10_000, queued)))
        ]
        Submission.objects.bulk_create(made, batch_size=1000)
        attempts = [
            Attempt(submission=each, number=1, version=each.challenge.current, not_before=now)
            for each in made
            if each.challenge.current is not None
        ]
        Attempt.objects.bulk_create(attempts, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as the server does by itself, some time later


def _count() -> dict[str, int]:
    from palio.core.attempt.states import RUNNING
    from palio.web.models import Attempt, Event

    moved = Event.objects.filter(kind="attempt.moved")
    return {
        "started": Attempt.objects.filter(started__isnull=False).count(),
        "moved": moved.filter(detail__new__in=[state.value for state in RUNNING]).count(),
        "ended": Attempt.objects.filter(finished__isnull=False).count(),
    }


def _control(seconds: float) -> Report:
    from django.conf import settings

    from palio.core.engine import Engine
    from palio.core.errors import PalioError
    from palio.web.controller.engines import Engines
    from palio.web.controller.loop import Controller
    from palio.web.controller.migration import PhaseMigration
    from palio.web.controller.statistics import StatisticsUpdate

    def no_engine(_: str) -> tuple[Engine, str]:
        raise PalioError("engine-missing", reason="this is a simulation", next_step="")

    controller = Controller(
        settings.CONFIGURATION,
        settings.FOLDERS,
        engines=Engines(no_engine, lambda _: None),
        workers=cast("Any", SimulatedWorkers(random.Random(os.getpid()))),  # noqa: S311
        statistics=StatisticsUpdate(settings.FOLDERS, start=lambda _: None),
        migration=PhaseMigration(start=lambda _: None),
    )
    controller.watch.found = replace(controller.watch.found, name="docker", trouble="", runs_in_parallel=True)
    controller._cleanup.look = lambda engines: None  # type: ignore[method-assign]  # noqa: ARG005
    ticks, most, deadline = [], 0, time.monotonic() + seconds
    while (begin := time.monotonic()) < deadline:
        controller.tick()
        ticks.append(time.monotonic() - begin)
        most = max(most, controller.active_attempts)
        time.sleep(max(0.01, 0.2 - ticks[-1]))
    controller.let_go()
    return Report(ticks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB, most)


class SimulatedWorkers:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def start(self, given: Any, order: Any, changed: Callable[[], None], away: Callable[[], None]) -> "SimulatedWorker":
        del given, order, changed, away
        return SimulatedWorker(self._chance.uniform(SHORTEST_S, LONGEST_S))

    def remove(self, engine: str, names: Sequence[str]) -> None:
        pass


class SimulatedWorker:
    """`lasts_s`: from its start to its result. Its stages take a tenth, seven tenths and a fifth of that."""

    death = None

    def __init__(self, lasts_s: float) -> None:
        from palio.core.attempt.run_folder import Stage
        from palio.web.controller.worker import Reached

        self._begin, self._lasts_s = time.monotonic(), lasts_s
        begun = datetime.now(UTC)
        self._later = [
            Reached(stage, begun + timedelta(seconds=share * lasts_s), self._begin + share * lasts_s)
            for stage, share in ((Stage.BUILD, 0.0), (Stage.PREDICT, 0.1), (Stage.SCORE, 0.8))
        ]
        self.reached: list[Reached] = []
        self.outcome: Outcome | None = None

    @property
    def is_alive(self) -> bool:
        """Also moves it on: the controller asks for this first."""
        now = time.monotonic()
        while self._later and self._later[0].monotonic <= now:
            self.reached.append(self._later.pop(0))
        if now - self._begin < self._lasts_s:
            return True
        if self.outcome is None:
            from tests.web.controller.scripted_workers import scored

            self.outcome = scored()
        return False

    def order(self, order: object) -> None:
        pass

    def kill(self) -> None:
        pass

    def join(self, timeout_s: float) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the controllers bend.")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--queued", type=int, default=QUEUED)
    parser.add_argument("--controllers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--control", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if "PALIO_DATABASE_URL" in os.environ:
        import django

        django.setup()
    if asked.fill is not None:
        _fill(asked.fill)
    elif asked.control is not None:
        print(json.dumps(asdict(_control(asked.control))))
    elif asked.count:
        print(json.dumps(_count()))
    else:
        for line in lines(asked.jobs, asked.queued, asked.controllers, asked.seconds):
            print(line.shown())


if __name__ == "__main__":
    main()
