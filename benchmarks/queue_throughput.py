"""How busy the slots are with a full queue of short submissions, against a shell loop of the same `docker run`s.

A real `palio serve` with SLOTS slots on Docker. The submissions are zips that differ in a file that their images do not
have, so each image is built from the engine's cache; the program sleeps for half a second. The loop runs a prediction
and a scoring container for each, as many side by side as there are slots, with the same images, mounts and users.
`busy`: the time in which slots have an attempt, of all their time from the first start to the last end.

    python -m benchmarks.queue_throughput [SUBMISSIONS]     (default 1000)
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tests.bundles import DOCKERFILE, PREDICT, write_bundle

from benchmarks.measuring import Line
from benchmarks.run_overhead import NAME
from benchmarks.serving import Server

SUBMISSIONS, SMALL, SLOTS, TEAMS = 1000, 40, 2, 8
SLEEP = "import time\ntime.sleep(0.5)\n"
LEAST_BUSY = 85
POLL_S = 1.0
STARTED = "SELECT started, finished, state FROM palio_attempt"


def measure(submissions: int = SUBMISSIONS) -> list[Line]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        bundle = write_bundle(home / "bundle")
        busy, wall_s = _on_the_platform(home, bundle, submissions)
        loop_s = _by_a_loop(home, bundle, submissions)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["docker", "image", "rm", "--force", NAME], capture_output=True, check=False)
    what = f"{submissions:,} queued submissions of half a second, {SLOTS} slots"
    return [
        Line(f"{what}: slots busy", 100 * busy, "%", limit=f"at least {LEAST_BUSY} %"),
        Line(f"{what}: each", wall_s / submissions, "s", "a loop of docker run", loop_s / submissions),
    ]


def _on_the_platform(home: Path, bundle: Path, submissions: int) -> tuple[float, float]:
    """The share of time in which slots were busy, and seconds from the first start to the last end."""
    data = home / "data"
    setting = os.environ | {"PALIO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    program = [sys.executable, "-m", "benchmarks.queue_throughput", "--fill", str(submissions), str(bundle)]
    subprocess.run(program, check=True, env=setting)
    server = Server(home, "--slots", str(SLOTS), "--engine", "docker")
    try:
        while True:
            with closing(sqlite3.connect(data / "palio.sqlite3", timeout=30)) as database:
                rows = database.execute(STARTED).fetchall()
            if all(finished for _, finished, _ in rows):
                break
            time.sleep(POLL_S)
    finally:
        server.stop()
    if unexpected := [state for _, _, state in rows if state != "scored"]:
        raise RuntimeError(f"{len(unexpected)} submissions were not scored: {unexpected[:3]}")
    times = [(datetime.fromisoformat(started), datetime.fromisoformat(finished)) for started, finished, _ in rows]
    wall_s = (max(end for _, end in times) - min(begin for begin, _ in times)).total_seconds()
    return sum((end - begin).total_seconds() for begin, end in times) / (SLOTS * wall_s), wall_s


def _fill(submissions: int, bundle: Path) -> None:
    """A data folder in which they wait already."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from tests.web.controller.stepped_controller import add_submission
    from tests.web.world import make_challenge

    from palio.web.models import Challenge, Team, User
    from palio.web.storage.files import keep_bundle

    settings.FOLDERS.make()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    captain = User.objects.create_user("captain")
    challenge = make_challenge("bench", keep_bundle(settings.FOLDERS, bundle), captain, Challenge.Visibility.PUBLISHED)
    teams = [Team.objects.create(challenge=challenge, name=f"Team {n}", captain=captain) for n in range(TEAMS)]
    for number in range(submissions):
        add_submission(teams[number % TEAMS], captain, extra=b"%d" % number, predict=SLEEP)


def _by_a_loop(home: Path, bundle: Path, submissions: int) -> float:
    """Seconds. `xargs` is what a lab's script would use to keep the slots full."""
    context = home / "loop"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "predict.py").write_text(SLEEP + PREDICT)
    subprocess.run(["docker", "build", "-q", "-t", NAME, str(context)], check=True, capture_output=True)
    run = "docker run --rm --network none --user 10001:10001 --read-only --memory 256m --cpus 1 --pids-limit 64"
    one = f"""set -e; d={home}/loop-$1; mkdir -m 777 "$d" "$d/res" "$d/out"; chmod 777 "$d/res" "$d/out"
{run} -e PALIO_INPUT=/mnt/in -e PALIO_OUTPUT=/mnt/out -v {bundle}/input_data:/mnt/in:ro -v "$d/res":/mnt/out {NAME}
{run} -v {bundle}/scoring_program:/app/program:ro -v {bundle}/reference_data:/app/input/ref:ro \
-v "$d/res":/app/input/res:ro -v "$d/out":/app/output \
python:3.11-slim python /app/program/score.py /app/input /app/output
test -f "$d/out/scores.json" """
    (home / "one.sh").write_text(one)
    begin = time.perf_counter()
    subprocess.run(
        ["xargs", "-P", str(SLOTS), "-I", "{}", "sh", str(home / "one.sh"), "{}"],
        input="\n".join(map(str, range(submissions))),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        _fill(int(sys.argv[2]), Path(sys.argv[3]))
        sys.exit()
    for line in measure(int(sys.argv[1]) if len(sys.argv) > 1 else SUBMISSIONS):
        print(line.shown())
