"""The leaderboard under load: 10,000 submissions of 500 teams, page and API asked 50 times a second.

`python -m benchmarks.board [SECONDS]` fills a database in a folder of its own, starts the pages' server on it (one
process, 16 threads, as `palio serve` has), and asks at a steady rate, however long answers take, so that a slow answer
does not spare the next. Meanwhile a new score comes in every five seconds, so that boards are made anew. Printed are
median, 99th percentile and slowest, from when an answer was due, not from when it could be asked.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TEAMS, SUBMISSIONS, RATE, NEWS_S = 500, 10_000, 50, 5.0
BOARD = """\
    columns:
      - {title: F1, key: f1, index: 0, sorting: desc, precision: 4}
      - {title: Recall, key: recall, index: 1, sorting: desc, precision: 4}
      - {title: Seconds, key: seconds, index: 2, sorting: asc, precision: 1}
"""


def measure(seconds: float = 20) -> dict[str, dict[str, float]]:
    """Milliseconds by what was asked."""
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    environment = os.environ | {"PALIO_DATA": str(home / "data"), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    command = [sys.executable, "-m", "benchmarks.board"]
    try:
        subprocess.run([*command, "fill", str(home)], env=environment, check=True)
        port = _free_port()
        pages = ["palio.web.wsgi:application", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *pages, "--threads", "16", "--log-level", "error"], env=environment
        )
        news = subprocess.Popen([*command, "news", str(home)], env=environment)
        try:
            session = (home / "session").read_text()
            asked = {
                "page, not signed in": ("/c/bench/board/", ""),
                "page, of a team": ("/c/bench/board/", f"sessionid={session}"),
                "page, by another column": ("/c/bench/board/Final/?sort=seconds", ""),
                "API": ("/api/v1/challenges/bench/board", ""),
            }
            _wait(f"http://127.0.0.1:{port}/health")
            return {
                name: _ask(f"http://127.0.0.1:{port}{path}", cookie, seconds) for name, (path, cookie) in asked.items()
            }
        finally:
            news.send_signal(signal.SIGTERM)
            server.send_signal(signal.SIGTERM)
            news.wait()
            server.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _ask(url: str, cookie: str, seconds: float) -> dict[str, float]:
    _wait(url)  # the first to ask waits until the board is made
    begin = time.perf_counter() + 0.2

    def one(number: int) -> float:
        due = begin + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Cookie": cookie})) as answer:  # noqa: S310
            size = len(answer.read())
        if size < 10_000:
            raise RuntimeError(f"{url} answered with {size} bytes")
        return 1000 * (time.perf_counter() - due)

    with ThreadPoolExecutor(64) as threads:
        times = sorted(threads.map(one, range(int(RATE * seconds))))
    last = len(times) - 1
    return {"median": times[last // 2], "p99": times[int(last * 0.99)], "slowest": times[last]}


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url).close()  # noqa: S310
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


# -- inside the platform: what follows runs in processes of its own


def _fill(home: Path) -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from django.utils import timezone
    from tests.bundles import YAML, write_bundle

    from palio.core.states import State
    from palio.web.models import Attempt, Challenge, ChallengeVersion, Membership, StoredFile, Submission, Team, User
    from palio.web.store import keep_bundle

    settings.FOLDERS.make()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    before, after = YAML.split("leaderboards:")[0], YAML.split("palio:\n")[1]
    text = f"{before}leaderboards:\n  - title: Results\n    key: main\n{BOARD}palio:\n{after}"
    challenge = Challenge.objects.create(slug="bench", visibility=Challenge.Visibility.PUBLISHED)
    digest = keep_bundle(settings.FOLDERS, write_bundle(home / "bundle", yaml=text))
    version = ChallengeVersion.objects.create(challenge=challenge, number=1, digest=digest, title="Bench")
    challenge.current = version
    challenge.save()
    users = User.objects.bulk_create([User(username=f"user{number}") for number in range(TEAMS)])
    teams = Team.objects.bulk_create(
        [Team(challenge=challenge, name=f"Team {n}", captain=u) for n, u in enumerate(users)]
    )
    Membership.objects.bulk_create([Membership(team=team, challenge=challenge, user=team.captain) for team in teams])
    files = StoredFile.objects.bulk_create(
        [
            StoredFile(team=team, name="a.zip", kind="context", size_bytes=1, sha256="0" * 64, created_by=team.captain)
            for team in teams
        ]
    )
    made = [
        Submission(challenge=challenge, phase="Final", team=file.team, user=file.created_by, file=file)
        for file in (files[number % TEAMS] for number in range(SUBMISSIONS))
    ]
    Submission.objects.bulk_create(made, batch_size=500)
    attempts = [
        Attempt(
            submission=each, number=1, version=version, state=State.SCORED, finished=timezone.now(), scores=_scores()
        )
        for each in made
    ]
    Attempt.objects.bulk_create(attempts, batch_size=500)
    for each, attempt in zip(made, attempts, strict=True):
        each.counted = attempt
    Submission.objects.bulk_update(made, ["counted"], batch_size=500)
    client = Client()
    client.force_login(users[0], backend="allauth.account.auth_backends.AuthenticationBackend")
    (home / "session").write_text(client.cookies["sessionid"].value)


def _news() -> None:
    """A submission is scored again."""
    from django.utils import timezone

    from palio.core.states import State
    from palio.web.board import changed
    from palio.web.models import Attempt, Submission

    submissions = list(Submission.objects.select_related("challenge__current")[:1000])
    while True:
        time.sleep(NEWS_S)
        submission = submissions.pop()
        version = submission.challenge.current
        assert version is not None
        submission.counted = Attempt.objects.create(
            submission=submission,
            number=2,
            version=version,
            state=State.SCORED,
            finished=timezone.now(),
            scores=_scores(),
        )
        submission.save()
        changed(submission.challenge)


def _scores() -> dict[str, float]:
    return {"f1": random.random(), "recall": random.random(), "seconds": random.uniform(1, 500)}  # noqa: S311


def main(arguments: list[str]) -> None:
    if arguments[:1] in (["fill"], ["news"]):
        import django

        django.setup()
        _fill(Path(arguments[1])) if arguments[0] == "fill" else _news()
        return
    for name, times in measure(*map(float, arguments[:1])).items():
        print(f"  {name:<26}", "  ".join(f"{what} {time_ms:6.1f} ms" for what, time_ms in times.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
