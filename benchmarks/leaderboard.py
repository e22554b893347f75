"""The leaderboard under load: 10,000 submissions of 500 teams, page and API requested 50 times a second.

`python -m benchmarks.leaderboard [SECONDS]` fills a database in a temporary folder, starts `palio serve` on it and
sends requests at a steady rate. The rate does not depend on the answers, so a slow answer does not spare the next
ones. Each request has its own connection; teams take turns, with their own sessions. A new score every two seconds
makes the leaderboard change.

Times are counted from when a request was due. The median, the 99th percentile and the slowest are printed, and first
the same for /health, which is what server, client and machine need for an empty answer. Each address is measured in
ROUNDS rounds of SECONDS, in turn with the others; the 99th percentile is the median of the rounds.

Finally, a change is made and the page requested until it shows, TIMES times. The baseline is the time in which the
database reads the rows of the leaderboard.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import Comparison, Line, Timing
from benchmarks.serving import Server

if TYPE_CHECKING:
    from palio.web.models import Submission

TEAMS, SUBMISSIONS, RATE, NEWS_S, TIMES, ROUNDS = 500, 10_000, 50, 2.0, 20, 3
LIMIT_P99_MS, LIMIT_SHOWN_S = 100, 1.0
BASELINE = "an empty response (/health)"
ROWS = (
    "SELECT s.id, a.scores FROM palio_submission s JOIN palio_attempt a ON a.identity = s.counted_id"
    " WHERE s.withdrawn IS NULL AND s.hidden IS NULL ORDER BY s.created"
)
PAGE = "/c/bench/leaderboard/"
REVISION = "SELECT leaderboard_revision FROM palio_challenge WHERE slug = 'bench'"
COLUMNS = """\
    columns:
      - {title: F1, key: f1, index: 0, sorting: desc, precision: 4}
      - {title: Recall, key: recall, index: 1, sorting: desc, precision: 4}
      - {title: Seconds, key: seconds, index: 2, sorting: asc, precision: 1}
"""


@dataclass(frozen=True)
class Load:
    """One address, requested RATE times a second: milliseconds from when a request was due until it was answered.

    `p99_ms` has one value for each round, from low to high.
    """

    name: str
    median_ms: float
    p99_ms: tuple[float, ...]
    slowest_ms: float
    requests: int
    bytes: int

    @classmethod
    def of(cls, name: str, rounds: Sequence[Sequence[float]], size_bytes: int) -> "Load":
        every = [each for times in rounds for each in times]
        p99 = sorted(sorted(times)[int(len(times) * 0.99)] for times in rounds)
        return cls(name, statistics.median(every), tuple(p99), max(every), len(every), size_bytes)

    @property
    def usual_p99_ms(self) -> float:
        return statistics.median(self.p99_ms)

    def shown(self) -> str:
        spread = f"{self.p99_ms[0]:.0f} to {self.p99_ms[-1]:.0f}"
        return (
            f"  {self.name:<40} median {self.median_ms:6.1f} ms   p99 {self.usual_p99_ms:6.1f} ms ({spread})   "
            f"slowest {self.slowest_ms:6.1f} ms   ({self.requests} requests, {self.bytes / 1000:.0f} kB each)"
        )


@dataclass(frozen=True)
class LeaderboardUnderLoad:
    baseline: Load
    loads: tuple[Load, ...]
    change: Comparison  # until the page shows a change; the baseline is reading the rows from the database

    def as_json(self) -> dict[str, object]:
        limits = {"p99_ms": LIMIT_P99_MS, "shown_s": LIMIT_SHOWN_S}
        return asdict(self) | {"change": self.change.as_json(), "rate": RATE, "limits": limits}

    def lines(self) -> list[Line]:
        what, base = f"leaderboard, {SUBMISSIONS:,} submissions, {RATE} requests/s", self.baseline
        loads = [
            Line(
                f"{what}, p99: {load.name}",
                load.usual_p99_ms,
                "ms",
                base.name,
                base.usual_p99_ms,
                load.p99_ms[0],
                load.p99_ms[-1],
                len(load.p99_ms),
                f"{LIMIT_P99_MS} ms",
            )
            for load in self.loads
        ]
        return [*loads, self.change.line(f"{LIMIT_SHOWN_S:g} s")]

    def shown(self) -> str:
        lines = [
            f"the leaderboard of {TEAMS} teams, {SUBMISSIONS:,} submissions, {RATE} requests/s, "
            f"limit p99 {LIMIT_P99_MS} ms"
        ]
        lines += [each.shown() for each in (self.baseline, *self.loads)]
        for timing in (self.change.baseline, self.change.palio):
            spread = f"{1000 * timing.lowest_s:.0f} to {1000 * timing.highest_s:.0f} ms, {timing.runs} times"
            lines.append(f"  {timing.name:<40} median {1000 * timing.median_s:6.1f} ms   ({spread})")
        return "\n".join(lines)


def measure(seconds: float = 10) -> LeaderboardUnderLoad:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    setting = os.environ | {"PALIO_DATA": str(home / "data"), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    command = [sys.executable, "-m", "benchmarks.leaderboard"]
    try:
        subprocess.run([*command, "fill", str(home)], env=setting, check=True)
        server = Server(home)
        news = subprocess.Popen([*command, "news", str(home)], env=setting)
        try:
            sessions = json.loads((home / "sessions").read_text())
            site = f"http://127.0.0.1:{server.port}"
            asked = {
                BASELINE: ("/health", [""]),
                "page, not signed in": (PAGE, [""]),
                "page, of each team in turn": (PAGE, sessions),
                "page, by another column": ("/c/bench/leaderboard/Final/?sort=seconds", [""]),
                "API": ("/api/v1/challenges/bench/leaderboard", [""]),
            }
            baseline, *loads = _ask_in_turn(site, asked, seconds)
            if news.poll() is not None:
                raise RuntimeError("no new scores came in, so the leaderboard did not change")
        finally:
            news.send_signal(signal.SIGTERM)
            news.wait()
        try:
            return LeaderboardUnderLoad(
                baseline, tuple(loads), _change(home, site, [*command, "change", str(home)], setting)
            )
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _ask_in_turn(site: str, asked: Mapping[str, tuple[str, Sequence[str]]], seconds: float) -> list[Load]:
    rounds: dict[str, list[list[float]]] = {name: [] for name in asked}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, (path, sessions) in asked.items():
            times, sizes[name] = _ask(site + path, sessions, seconds, least_bytes=0 if name == BASELINE else 10_000)
            rounds[name].append(times)
    return [Load.of(name, rounds[name], sizes[name]) for name in asked]


def _ask(url: str, sessions: Sequence[str], seconds: float, *, least_bytes: int) -> tuple[list[float], int]:
    """Milliseconds of each answer, and the bytes of one."""
    _get(url, sessions[0])  # the first request renders the leaderboard
    count = int(RATE * seconds)
    begin = time.perf_counter() + 0.2

    def one(asked: tuple[int, str]) -> tuple[float, int]:
        number, session = asked
        due = begin + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        size = len(_get(url, session))
        if size < least_bytes:
            raise RuntimeError(f"{url} answered with {size} bytes")
        return 1000 * (time.perf_counter() - due), size

    with ThreadPoolExecutor(64) as threads:
        answers = [*threads.map(one, zip(range(count), cycle(sessions), strict=False))]
    return [each for each, _ in answers], answers[0][1]


def _get(url: str, session: str = "") -> bytes:
    headers = {"Cookie": f"sessionid={session}"} if session else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def _change(home: Path, site: str, command: list[str], setting: dict[str, str]) -> Comparison:
    """From the commit of a new best score until the page shows it."""
    database = sqlite3.connect(home / "data" / "palio.sqlite3")
    changer = subprocess.Popen(command, env=setting, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert changer.stdin
    assert changer.stdout
    rows, shown = [], []
    try:
        for number in range(TIMES):
            begin = time.perf_counter()
            for _, scores in database.execute(ROWS):
                json.loads(scores)
            rows.append(time.perf_counter() - begin)
            changer.stdin.write(f"{number}\n")
            changer.stdin.flush()
            score = changer.stdout.readline().strip()
            begin = time.perf_counter()
            while score.encode() not in _get(f"{site}{PAGE}"):
                time.sleep(0.01)
            shown.append(time.perf_counter() - begin)
    finally:
        changer.stdin.close()
        changer.wait()
        database.close()
    baseline = Timing.of("reading its rows from the database", rows)
    differences = sorted(ours - theirs for theirs, ours in zip(rows, shown, strict=True))
    told = "a change until the page shows it"
    return Comparison("the leaderboard after a change", baseline, Timing.of(told, shown), differences[TIMES // 2])


# -- inside the platform, in processes of their own


def fill(home: Path) -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from django.utils import timezone
    from tests.bundles import YAML, write_bundle

    from palio.core.attempt.states import State
    from palio.web.models import Attempt, Challenge, ChallengeVersion, Membership, StoredFile, Submission, Team, User
    from palio.web.storage.files import keep_bundle

    settings.FOLDERS.make()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    before, after = YAML.split("leaderboards:")[0], YAML.split("palio:\n")[1]
    text = f"{before}leaderboards:\n  - title: Results\n    key: main\n{COLUMNS}palio:\n{after}"
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
    sessions = []
    for user in users:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        sessions.append(client.cookies["sessionid"].value)
    (home / "sessions").write_text(json.dumps(sessions))


def _news() -> None:
    """Scores a submission again every NEWS_S seconds."""
    from palio.web.models import Submission

    submissions = list(Submission.objects.select_related("challenge__current")[:1000])
    while True:
        time.sleep(NEWS_S)
        score_again(submissions.pop())


def _changes() -> None:
    """Scores a submission again for each line of input, and prints the score as the page will show it."""
    from palio.web.models import Submission

    submissions = list(Submission.objects.select_related("challenge__current")[2000 : 2000 + TIMES])
    for number, _ in enumerate(sys.stdin, start=1):
        score = 1 + number / 1000
        score_again(submissions.pop(), f1=score)
        print(f">{score:.4f}<", flush=True)


def score_again(submission: "Submission", **scores: float) -> None:
    from django.db import transaction
    from django.utils import timezone

    from palio.core.attempt.states import State
    from palio.web.leaderboard.leaderboard import mark_changed
    from palio.web.models import Attempt

    version = submission.challenge.current
    assert version is not None
    with transaction.atomic():
        submission.counted = Attempt.objects.create(
            submission=submission,
            number=2,
            version=version,
            state=State.SCORED,
            finished=timezone.now(),
            scores=_scores() | scores,
        )
        submission.save()
        mark_changed(submission.challenge)


def _scores() -> dict[str, float]:
    return {"f1": random.random(), "recall": random.random(), "seconds": random.uniform(1, 500)}  # noqa: S311


def main(arguments: list[str]) -> None:
    if arguments[:1] in (["fill"], ["news"], ["change"]):
        import django

        django.setup()
        {"fill": lambda: fill(Path(arguments[1])), "news": _news, "change": _changes}[arguments[0]]()
        return
    print(measure(*map(float, arguments[:1])).shown())


if __name__ == "__main__":
    main(sys.argv[1:])
