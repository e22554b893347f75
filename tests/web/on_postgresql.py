"""`make test-postgresql`: the server's whole test suite once more, on PostgreSQL.

Each part runs with a cluster of its own, because tests of databases that are stopped would disturb others. Servers that
tests start have a database for each data folder. Tests that are about SQLite itself are skipped, with that reason.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.web.postgresql import cluster, programs

HERE = Path(__file__).parent
NOT_HERE = {"test_on_postgresql.py"}  # it would run all of this again


def parts() -> list[str]:
    """What is run at a time: folders and files, the longest first."""
    folders = [path for path in sorted(HERE.iterdir()) if path.is_dir() and [*path.rglob("test_*.py")]]
    files = [path for path in sorted(HERE.glob("test_*.py")) if path.name not in NOT_HERE]
    first = {"controller": 0, "serving": 1, "verbs": 2}
    folders.sort(key=lambda path: first.get(path.name, len(first)))
    return [str(path) for path in (*folders, *files)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.web.on_postgresql", description=str(__doc__).split("\n\n")[0]
    )
    parser.add_argument("parts", nargs="*", help="files or folders; default: all of tests/web")
    parser.add_argument("--workers", type=int, default=2, help="parts that run at the same time; default: 2")
    asked, more = parser.parse_known_args()
    if programs() is None:
        print("No PostgreSQL server is installed. Install Debian's package postgresql.", file=sys.stderr)
        return 12
    with ThreadPoolExecutor(asked.workers) as workers:
        codes = [*workers.map(lambda part: _run(part, more), asked.parts or parts())]
    return max(codes, default=0)


def _run(part: str, more: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", part, *more]
    with cluster() as url:
        ran = subprocess.run(
            command, env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, check=False
        )
    print(f"== {part}\n{ran.stdout[-20_000:]}{ran.stderr[-4000:]}", flush=True)
    return 0 if ran.returncode == 5 else ran.returncode  # 5: nothing there for this machine


if __name__ == "__main__":
    sys.exit(main())
