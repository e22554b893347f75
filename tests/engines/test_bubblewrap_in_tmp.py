"""A sandbox has a fresh /tmp of its own. The Python that runs Palio may lie in the host's, and is seen all the same."""

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.bubblewrap

SCRIPT = """
import sys, time
from pathlib import Path
from palio.core.engine import Build, BuildLimits, Job, Limits
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine

home = Path(sys.argv[1])
(home / "context").mkdir()
(home / "context/Dockerfile").write_text("FROM x\\nCMD python -c 'import sys; print(sys.prefix)'\\n")
engine = BubblewrapEngine(home / "state")

def finish(work):
    engine.start(work)
    while (result := engine.poll(work)) is None:
        time.sleep(0.02)
    return result

build = Build("palio-test-b", "0" * 64, home / "context", BuildLimits(60, GIB, GIB, True), home / "build.log")
image = finish(build).image
job = Job("palio-test-j", image, Limits(20, 256 * MIB, 1), home / "job.log", "/mnt/out")
result = finish(job)
print(result.end, result.exit_code, (home / "job.log").read_text().strip())
engine.remove(job)
engine.remove(build)
"""


@pytest.fixture
def in_tmp() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_python_in_tmp_visible(in_tmp: Path) -> None:
    in_tmp.chmod(0o755)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", in_tmp / "venv"], check=True)
    paths = f"{ROOT / 'src'}:{sysconfig.get_path('purelib')}"
    command = [str(in_tmp / "venv/bin/python"), "-c", SCRIPT, str(in_tmp)]
    result = subprocess.run(command, env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == (f"exited 0 {in_tmp / 'venv'}", "")
