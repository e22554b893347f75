"""Where the time of the leaderboard's page goes, beside the bare queries (see board).

`python -m benchmarks.profile_board [FUNCTIONS]` fills the database of that benchmark and asks for pages inside this
process, so that no server, no client and no network is in what it prints: medians of TIMES, and for the page of a team
and the page after a change which of Palio's functions have taken how much of it.
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
        subprocess.run([sys.executable, "-m", "benchmarks.board", "fill", str(home)], check=True)
        import django

        django.setup()
        _profile(home, int(arguments[0]) if arguments else FUNCTIONS)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _profile(home: Path, functions: int) -> None:
    import json
    import sqlite3

    from django.test import Client

    from benchmarks.board import BOARD_PATH, REVISION, ROWS, score_again
    from palio.web.http import cache
    from palio.web.models import Submission

    sessions = json.loads((home / "sessions").read_text())
    stranger, member = (Client(SERVER_NAME="127.0.0.1") for _ in range(2))
    member.cookies["sessionid"] = sessions[0]
    database = sqlite3.connect(home / "data" / "palio.sqlite3")
    news = list(Submission.objects.select_related("challenge__current")[: 2 * TIMES + 2])

    def page(client: Client) -> None:
        answer = client.get(BOARD_PATH)
        if answer.status_code != 200 or len(answer.content) < 10_000:
            raise RuntimeError(f"{BOARD_PATH} answered {answer.status_code} with {len(answer.content)} bytes")

    def rows() -> None:
        for _, scores in database.execute(ROWS):
            json.loads(scores)

    def change() -> None:
        score_again(news.pop())

    def nothing() -> None:
        return

    for client in (stranger, member):
        page(client)
    for name, before, call in (
        ("the bare query for the board's revision", nothing, lambda: database.execute(REVISION).fetchall()),
        ("the page, not signed in", nothing, lambda: page(stranger)),
        ("the page, of a team", nothing, lambda: page(member)),
        ("the bare query for all rows of the board", nothing, rows),
        ("the page after a change", change, lambda: page(stranger)),
        ("the page, as the first that this process makes", cache.clear, lambda: page(stranger)),
    ):
        print(f"{_median_ms(before, call):7.2f} ms  {name}")
    for name, before, call in (("a team", nothing, lambda: page(member)), ("a change", change, lambda: page(stranger))):
        print(f"\nWhat took most of it, for {name}:")
        _print_functions(before, call, functions)


def _median_ms(before: Callable[[], object], call: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMES):
        before()
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


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
