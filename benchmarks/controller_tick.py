"""What a tick of the controller costs, with 10,000 finished submissions: while 100 others wait, and while they run.

`python -m benchmarks.controller_tick [URL]` fills a database in a folder of its own, or the empty one at the URL
(postgresql://…), and prints milliseconds: of a tick with a full queue and no slot free, of one with 100 running
attempts (whose workers are models, as their processes are not the controller's), of one with nothing to do, of working
out every place in the queue, as a page does, and of /metrics. The engine is one that never ends anything.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.measuring import Line

ENDED, WAITING, TEAMS, CHALLENGES, TICKS = 10_000, 100, 500, 5, 100
IDLE_S = 10.0
RUNNING_MS = 50.0  # of a tick with WAITING running attempts
BARE = "SELECT identity, state FROM palio_attempt WHERE finished IS NULL"


def measure(database: str = "") -> list[Line]:
    """In a process of its own, as Django is set up once in each."""
    command = [sys.executable, "-m", "benchmarks.controller_tick", *([database] if database else []), "--json"]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Line(**line) for line in json.loads(made.stdout)]


def main(arguments: list[str]) -> None:
    as_json, arguments = "--json" in arguments, [each for each in arguments if each != "--json"]
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    os.environ |= {"PALIO_DATA": str(home / "data"), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    os.environ |= {"PALIO_DATABASE_URL": arguments[0]} if arguments else {}
    try:
        import django

        django.setup()
        lines = _measure(home)
        print(json.dumps([asdict(line) for line in lines]) if as_json else "\n".join(line.shown() for line in lines))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _measure(home: Path) -> list[Line]:
    from django.conf import settings
    from django.db import connection
    from tests.web.controller.stepped_controller import SteppedController

    from palio.web.models import Attempt
    from palio.web.verbs.queue import places

    def bare() -> None:
        with connection.cursor() as cursor:
            cursor.execute(BARE)
            if len(cursor.fetchall()) != WAITING:
                raise RuntimeError("not the attempts that were made")

    _fill(home)
    desk = SteppedController(home, slots=1)
    desk.engine.lasting.add("build")
    desk.run_until(lambda: desk.controller.active_attempts == 1)
    desk.controller._cleanup.join()
    database = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    what = f"controller on {database}, {ENDED:,} attempts ended, {WAITING} waiting"
    least = statistics.median(_times(bare))
    lines = [_line(f"{what}: a tick without a free slot", desk.controller.tick, least)]
    # As when a slot is free, but without starting one each time.
    desk.controller._pools.default.slots.count = 2
    desk.controller._pools.default.slots.has_room = lambda *_: False  # type: ignore[method-assign]
    lines.append(_line(f"{what}: a tick that picks the next attempt", desk.controller.tick, least))
    lines.append(_line(f"{what}: all queue positions", places, least))
    lines.append(_line(f"{what}: /metrics", _scrape, least))
    desk.close()
    lines.append(_running(home, database))
    Attempt.objects.filter(state="queued").update(state="cancelled")
    Attempt.objects.filter(state="build").update(state="cancelled")
    desk.controller = desk.new_controller()
    lines.append(_line("controller: a tick with nothing to do", desk.controller.tick, None))
    begin, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < IDLE_S:
        desk.controller.tick()
        time.sleep(1)
    share = (time.process_time() - used) / (time.perf_counter() - begin)
    return [*lines, Line("controller: CPU time, idle", 100 * share, "% of one CPU")]


def _running(home: Path, database: str) -> Line:
    """A tick with WAITING running attempts, and the same number still to be run behind them."""
    from tests.web.controller.scripted_workers import ScriptedWorkers
    from tests.web.controller.stepped_controller import SteppedController

    from palio.core.attempt.states import RUNNING
    from palio.web.models import Attempt

    desk = SteppedController(home, slots=WAITING, memory_gib=60_000.0, cpus=4096.0)
    desk.workers = ScriptedWorkers(desk.clock)
    desk.controller = desk.new_controller()
    Attempt.objects.filter(state__in=[*RUNNING]).update(state="queued", started=None)
    desk.run_until(lambda: desk.controller.active_attempts == WAITING)
    desk.controller._cleanup.join()
    title = f"controller on {database}, {ENDED:,} attempts ended, {WAITING} running: a tick"
    return replace(_line(title, desk.controller.tick, None), limit=f"{RUNNING_MS:g} ms")


def _scrape() -> None:
    from django.test import Client

    if Client().get("/metrics", HTTP_HOST="127.0.0.1").status_code != 200:
        raise RuntimeError("/metrics was refused")


def _line(title: str, call: Callable[[], object], least_ms: float | None) -> Line:
    times = _times(call)
    median, base = statistics.median(times), "the bare query" if least_ms else ""
    return Line(title, median, "ms", base, least_ms, times[0], times[-1], len(times))


def _times(call: Callable[[], object]) -> list[float]:
    """Milliseconds of each of TICKS calls, in ascending order."""
    times = []
    for _ in range(TICKS):
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    return sorted(times)


def _fill(home: Path) -> None:
    from datetime import timedelta

    from django.conf import settings
    from django.core.management import call_command
    from django.utils import timezone
    from tests.bundles import write_bundle
    from tests.web.submission_files import context_zip, digest
    from tests.web.world import make_challenge

    from palio.core.attempt.states import State
    from palio.web.models import Attempt, Challenge, StoredFile, Submission, Team, User
    from palio.web.storage.files import file_path, keep_bundle

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
    made = [
        Submission(challenge=file.team.challenge, phase="Final", team=file.team, user=file.created_by, file=file)
        for file in (files[number % TEAMS] for number in range(ENDED + WAITING))
    ]
    Submission.objects.bulk_create(made, batch_size=500)
    now = timezone.now()
    attempts = []
    for number, submission in enumerate(made):
        assert submission.challenge.current is not None
        attempt = Attempt(submission=submission, number=1, version=submission.challenge.current, not_before=now)
        if number < ENDED:
            attempt.state, attempt.scores, attempt.engine = State.SCORED, {"accuracy": 0.5}, "docker"
            attempt.started = now - timedelta(minutes=ENDED - number)
            attempt.finished = attempt.started + timedelta(seconds=50)
        attempts.append(attempt)
    Attempt.objects.bulk_create(attempts, batch_size=500)
    for attempt in attempts[:ENDED]:
        (settings.FOLDERS.runs / attempt.identity).mkdir()


if __name__ == "__main__":
    main(sys.argv[1:])
