"""`RUN pip install` on bubblewrap: wheels made here stand for packages of an index."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.wheels import write_wheel

from palio.core.engine import Build, BuildLimits, End, Job, JobResult, Limits, Work
from palio.core.files.tree import digest_tree
from palio.core.quantities import GIB, MIB
from palio.engines.bubblewrap import BubblewrapEngine

LIMITS = BuildLimits(time_s=300, memory_bytes=GIB, size_bytes=GIB, network=False)
DOCKERFILE = """\
FROM python:3.11-slim
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /opt
COPY wheels/ wheels/
COPY requirements.txt ./
RUN pip install --no-cache-dir --find-links wheels -r requirements.txt && pip install ./wheels/other-*.whl
COPY look.py ./
"""
LOOK = """\
import os, sys, tinything, other, needed
print(tinything.VALUE, other.VALUE, needed.VALUE, os.path.exists("/.environment/ran"))
print(os.path.realpath("/opt/venv/bin/python") == os.path.realpath(sys.executable))
try:
    open("/.environment/new", "w")
except OSError as error:
    print(error.strerror)
"""
EVIL = "import os; os.path.exists('/.pip') and open('/.environment/ran', 'w').close()\n"  # while pip runs

pytestmark = pytest.mark.bubblewrap


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.context = folder, folder / "context"
        self.engine = BubblewrapEngine(folder / "state")
        write_wheel(self.context / "wheels", requires=["needed>=1"], files={"evil.pth": EVIL})
        write_wheel(self.context / "wheels", "needed")
        write_wheel(self.context / "wheels", "other", "2.0")
        (self.context / "look.py").write_text(LOOK)
        (self.context / "requirements.txt").write_text("tinything==1.0\nnumpy>=1.26\n")

    def build(self, dockerfile: str, limits: BuildLimits = LIMITS) -> JobResult:
        (self.context / "Dockerfile").write_text(dockerfile)
        self.log = self.folder / "build.log"
        return self.finish(Build("palio-packages", digest_tree(self.context), self.context, limits, self.log))

    def finish(self, work: Work) -> JobResult:
        deadline = time.monotonic() + 300
        self.engine.start(work)
        try:
            while (result := self.engine.poll(work)) is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            self.engine.remove(work)
        return result


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("packages"))


def test_packages_installed_once_without_running(bench: Bench) -> None:
    built = bench.build(DOCKERFILE)
    assert built.succeeded, built.detail
    log = bench.folder / "job.log"
    limits = Limits(time_s=120, memory_bytes=GIB, cpus=1)
    job = Job("palio-packages-job", built.image or "", limits, log, "/mnt/out", command=("python", "look.py"))
    assert bench.finish(job).exit_code == 0, log.read_text()
    assert log.read_text().splitlines() == ["1.0 2.0 1.0 False", "True", "Read-only file system"]
    made = {path.name for path in (bench.folder / "state/images").glob("environment-*")}
    assert bench.build(f"{DOCKERFILE}ENV CHANGED=1\n").succeeded
    assert "Reusing an environment" in bench.log.read_text()
    assert {path.name for path in (bench.folder / "state/images").glob("environment-*")} == made
    owners = {path.lstat().st_uid for path in (bench.folder / "state/images").rglob("*")}
    assert owners == {os.getuid()}


def test_packages_already_present(bench: Bench) -> None:
    assert bench.build("FROM xy\nRUN pip install 'numpy>=1.26' pillow\n").succeeded
    assert "in this machine's Python already" in bench.log.read_text()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("pip install no-such-package-of-palio", "have no network"),
        ("pip install ./wheels/needed-1.0-py3-none-any.whl 'needed>=2'", ""),
    ],
)
def test_pip_failure_line_and_reason(bench: Bench, command: str, why: str) -> None:
    result = bench.build(f"FROM xy\nWORKDIR /opt\nCOPY wheels/ wheels/\nRUN {command}\n")
    step, _, reason = result.detail.partition("\n")
    assert (result.end, result.exit_code, step) == (End.EXITED, 1, f"line 4 (RUN {command})")
    assert why in reason
    assert "://" not in reason + bench.log.read_text()


def test_packages_size_limit(bench: Bench) -> None:
    write_wheel(bench.folder / "context/large", "large", files={"large/data.bin": "x" * (8 * MIB)})
    result = bench.build("FROM xy\nCOPY large/ /w/\nRUN pip install /w/*.whl\n", replace(LIMITS, size_bytes=4 * MIB))
    assert result.end is End.IMAGE_SIZE


def test_index_unreachable(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, write_configuration: Callable[[str], Path]
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(write_configuration("[global]\nindex-url = http://127.0.0.1:9/simple\n")))
    result = bench.build("FROM xy\nRUN pip install no-such-package-of-palio\n", replace(LIMITS, network=True))
    assert (result.end, result.detail) == (End.INDEX_UNREACHABLE, "no-such-package-of-palio")


@pytest.fixture
def write_configuration(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "pip.conf").write_text(text)
        return tmp_path / "pip.conf"

    return write
