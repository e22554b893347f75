"""Where the time of the leaderboard's page goes, beside the bare queries (see benchmarks.leaderboard).

`python -m benchmarks.profile_leaderboard [FUNCTIONS]` fills the database of that benchmark and requests pages inside
this process, without a server or a network. It prints medians of TIMES: wall-clock time, and CPU time, which other
programs on the machine disturb less. For the page of a team and for the page after a change it also prints which of
Palio's functions took how much.
"""

import cProfile
import os
import pstats
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TIMES = 50
FUNCTIONS = 25
LIBRARIES = (r"compiler\.py:\d+\(execute_sql\)", r"loader\.py:\d+\(render_to_string\)", r"_fetch_all")


def main(arguments: list[str]) -> None:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    os.environ |= {"PALIO_DATA": str(home / "data"), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    try:
        subprocess.run([sys.executable, "-m", "benchmarks.leaderboard", "fill", str(home)], check=True)
        import django

        django.setup()
        _profile(home, int(arguments[0]) if arguments else FUNCTIONS)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _profile(home: Path, functions: int) -> None:
    import json
    import sqlite3

    from django.test import Client

    from benchmarks.leaderboard import PAGE, REVISION, ROWS, score_again
    from palio.web.http import cache
    from palio.web.models import Submission

    sessions = json.loads((home / "sessions").read_text())
    visitor, member = (Client(SERVER_NAME="127.0.0.1") for _ in range(2))
    member.cookies["sessionid"] = sessions[0]
    database = sqlite3.connect(home / "data" / "palio.sqlite3")
    news = list(Submission.objects.select_related("challenge__current")[: 2 * TIMES + 2])

    def page(client: Client, path: str = PAGE) -> None:
        answer = client.get(path)
        if answer.status_code != 200 or len(answer.content) < 10_000:
            raise RuntimeError(f"{path} answered {answer.status_code} with {len(answer.content)} bytes")

    def rows() -> None:
        for _, scores in database.execute(ROWS):
            json.loads(scores)

    def change() -> None:
        score_again(news.pop())

    def nothing() -> None:
        return

    for client in (visitor, member):
        page(client)
    for name, before, call in (
        ("the bare query for the revision", nothing, lambda: database.execute(REVISION).fetchall()),
        ("the page, not signed in", nothing, lambda: page(visitor)),
        ("the page, of a team", nothing, lambda: page(member)),
        ("the page, by another column", nothing, lambda: page(visitor, f"{PAGE}Final/?sort=seconds")),
        ("the API", nothing, lambda: page(visitor, "/api/v1/challenges/bench/leaderboard")),
        ("the bare query for all rows", nothing, rows),
        ("the page after a change", change, lambda: page(visitor)),
        ("the page, as the first of this process", cache.clear, lambda: page(visitor)),
    ):
        wall_ms, cpu_ms = _medians_ms(before, call)
        print(f"{wall_ms:7.2f} ms   CPU {cpu_ms:7.2f} ms   {name}")
    for name, before, call in (("a team", nothing, lambda: page(member)), ("a change", change, lambda: page(visitor))):
        print(f"\nThe slowest functions, for {name}:")
        _print_functions(before, call, functions)


def _medians_ms(before: Callable[[], object], call: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock time and CPU time."""
    wall, cpu = [], []
    for _ in range(TIMES):
        before()
        begin, begin_cpu = time.perf_counter(), time.process_time()
        call()
        wall.append(1000 * (time.perf_counter() - begin))
        cpu.append(1000 * (time.process_time() - begin_cpu))
    return statistics.median(wall), statistics.median(cpu)


def _print_functions(before: Callable[[], object], call: Callable[[], object], count: int) -> None:
    profile = cProfile.Profile()
    for _ in range(TIMES):
        before()
        profile.enable()
        call()
        profile.disable()
    stats = pstats.Stats(profile)
    stats.sort_stats("cumtime").print_stats(f"palio/(web|core)/|{'|'.join(LIBRARIES)}", count)


if __name__ == "__main__":
    main(sys.argv[1:])
