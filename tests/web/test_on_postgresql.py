"""The platform's tests once more, in a process of their own, on a real PostgreSQL server.

Left out is what has no database in it, what needs a browser, and what takes long on each engine: a few tests of real
controllers that are killed stay in.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.web.postgresql import cluster, programs

HERE = Path(__file__).parent
LEFT_OUT = [
    *("browser", "serving", "verbs/test_disk_full.py", "controller/test_engine_killed.py", "test_on_postgresql.py"),
]
LONG = "not every_step"


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="they run on it already")
def test_everything_on_postgresql() -> None:
    if programs() is None:
        lacking("no PostgreSQL server is installed (Debian's package postgresql)")
    options = [f"--ignore={HERE / name}" for name in LEFT_OUT]
    command = [sys.executable, "-m", "pytest", str(HERE), "-q", "-x", "-p", "no:cacheprovider", "-k", LONG, *options]
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
