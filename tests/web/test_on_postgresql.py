"""What depends on the database once more, in a process of its own, on a real PostgreSQL server: verbs, queries, leases,
and what a controller decides. `make test-postgresql` runs all of the server's tests there.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.web.postgresql import cluster, programs

HERE = Path(__file__).parent
RUN = [
    "verbs",
    "queries",
    "http/test_database_errors.py",
    *(f"controller/test_{name}.py" for name in ("lease", "lease_clock", "dispatch", "deadlines", "schedules")),
]
LEFT_OUT = "verbs/test_disk_full.py"
LONG = "not each_step"


@pytest.mark.timeout(1200)
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="they run on PostgreSQL already")
def test_web_tests_on_postgresql() -> None:
    if programs() is None:
        lacking("no PostgreSQL server is installed (Debian's package postgresql)")
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
        f"--ignore={HERE / LEFT_OUT}",
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
