"""The platform's tests of what it does once more, in a process of their own, on a real PostgreSQL server.

Left out are pages and API, which reach the database through the verbs and queries that are tested here, how workers
fail, and what takes long on each engine; some tests of controllers that are killed stay in.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.web.postgresql import cluster, programs

HERE = Path(__file__).parent
RUN = ["verbs", "controller", "queries", "leaderboard", "http/test_database_errors.py"]
LEFT_OUT = [
    "verbs/test_disk_full.py",
    "controller/test_engine_killed.py",
    "controller/test_image_removed.py",
    "controller/test_serve_killed.py",
    "controller/test_worker.py",
]
LONG = "not every_step"


@pytest.mark.timeout(2400)
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="they run on PostgreSQL already")
def test_web_tests_on_postgresql() -> None:
    if programs() is None:
        lacking("no PostgreSQL server is installed (Debian's package postgresql)")
    options = [f"--ignore={HERE / name}" for name in LEFT_OUT]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *(str(HERE / name) for name in RUN),
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-k",
        LONG,
        *options,
    ]
    with cluster() as url:
        ran = subprocess.run(
            command,
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
            cwd=HERE.parents[1],
        )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
