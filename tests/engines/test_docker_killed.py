"""What a killed process leaves with the Docker engine alone: builds, layers, holders of outputs, images too large."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.docker_command import docker

from palio.core.engine import Build, BuildLimits, End, Job, JobResult, Limits
from palio.core.errors import PalioError
from palio.core.quantities import GIB, MIB
from palio.engines.docker import DockerEngine

pytestmark = pytest.mark.docker

BASE = "python:3.11-slim"
START = """\
import sys, time
from pathlib import Path
from palio.core.engine import Build, BuildLimits
from palio.engines.docker import DockerEngine

name, digest, context, log = sys.argv[1:]
build = Build(name, digest, Path(context), BuildLimits(60, 2**30, 2**31, network=False), Path(log))
engine = DockerEngine()
engine.start(build)
while engine.poll(build) is None:
    time.sleep(0.02)
"""


class Site:
    """A build of three layers, each with this site's own label, that is killed while it makes the second."""

    def __init__(self, home: Path, second: str) -> None:
        self.label = f"palio.test={uuid4().hex}"
        context = home / "context"
        context.mkdir()
        (context / "Dockerfile").write_text(f"FROM {BASE}\nLABEL {self.label}\nRUN {second}\nRUN echo done > /tmp/b\n")
        limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=2 * GIB, network=False)
        self.build = Build(f"palio-test-{uuid4().hex[:12]}", uuid4().hex, context, limits, home / "build.log")

    def kill_in_second_step(self) -> None:
        build = self.build
        where = [build.name, build.digest, str(build.context), str(build.log)]
        with subprocess.Popen([sys.executable, "-c", START, *where]) as process:
            deadline = time.monotonic() + 30
            while not build.log.exists() or "in the step" not in build.log.read_text().splitlines():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.kill()

    def finish(self, build: Build | None = None) -> JobResult:
        build, engine = build or self.build, DockerEngine()
        engine.start(build)
        while (result := engine.poll(build)) is None:
            time.sleep(0.02)
        engine.remove(build)
        return result

    @property
    def containers(self) -> list[str]:
        return docker("ps", "--all", "--quiet", "--filter", f"label={self.label}")

    @property
    def images(self) -> list[str]:
        return docker("image", "ls", "--all", "--quiet", "--filter", f"label={self.label}")


def test_killed_build_restarted(tmp_path: Path) -> None:
    site = Site(tmp_path, "echo in the step && sleep 3")
    site.kill_in_second_step()
    deadline = time.monotonic() + 5
    while site.containers:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    result = site.finish()
    assert result.succeeded
    assert result.image
    docker("image", "rm", f"palio-build:{site.build.image_key}")
    assert (site.containers, site.images) == ([], [])


def test_killed_build_layers_removed_with_attempt(tmp_path: Path) -> None:
    site = Site(tmp_path, "echo in the step && sleep 30")
    site.kill_in_second_step()
    assert site.images != []
    DockerEngine().remove(site.build)
    assert (site.containers, site.images) == ([], [])


def test_killed_build_layers_removed_on_failure(tmp_path: Path) -> None:
    site = Site(tmp_path, "echo in the step && sleep 30")
    site.kill_in_second_step()
    dockerfile = site.build.context / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("sleep 30", "false"))
    assert not site.finish().succeeded
    assert (site.containers, site.images) == ([], [])


def test_existing_image_too_large(tmp_path: Path) -> None:
    """As left by a process that was killed when it had been made and before it was measured."""
    site = Site(tmp_path, "true")
    assert site.finish().succeeded
    small = replace(site.build, limits=replace(site.build.limits, size_bytes=MIB))
    made, unmeasured = (f"palio-build:{build.image_key}" for build in (site.build, small))
    docker("tag", made, unmeasured)
    docker("image", "rm", made)
    result = site.finish(small)
    assert (result.end, result.image) == (End.IMAGE_SIZE, None)
    assert int(result.detail) > MIB
    assert site.images == []


START_JOB = """\
import sys
from pathlib import Path
from palio.core.engine import Job, Limits
from palio.engines.docker import DockerEngine, engine

name, log, where = sys.argv[1:]
stop = lambda *_, **__: (print("there", flush=True), __import__("time").sleep(60))
if where == "holder made":
    engine.create_container = stop
else:
    engine.start_holder = stop
job = Job(name, "python:3.11-slim", Limits(20, 2**27, 1), Path(log), "/mnt/out", command=("touch", "/mnt/out/x"))
DockerEngine().start(job)
"""


def of_job(name: str) -> list[str]:
    kinds = (["ps", "--all"], ["volume", "ls"])
    return [line for kind in kinds for line in docker(*kind, "--quiet", "--filter", f"label=palio.job={name}")]


@pytest.mark.parametrize("where", ["holder made", "container made"])
@pytest.mark.parametrize("volumes_in_reach", [None, False])
def test_killed_start_resumes(where: str, volumes_in_reach: bool | None, tmp_path: Path) -> None:
    name = f"palio-test-{uuid4().hex[:12]}"
    job = Job(name, BASE, Limits(20, 128 * MIB, 1), tmp_path / "log", "/mnt/out", command=("touch", "/mnt/out/x"))
    starting = [sys.executable, "-c", START_JOB, name, str(job.log), where]
    with subprocess.Popen(starting, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.kill()
    left = of_job(name)
    assert len(left) == (2 if where == "holder made" else 3)
    made = docker("ps", "--all", "--quiet", "--filter", f"name=^{name}$")
    engine = DockerEngine(volumes_in_reach=volumes_in_reach)
    assert name in engine.job_names()
    engine.start(job)
    while (result := engine.poll(job)) is None:
        time.sleep(0.02)
    assert (result.end, result.exit_code) == (End.EXITED, 0)
    # What the killed process created, the engine may be about to start, so it never runs.
    assert set(left) - set(of_job(name)) == set(made)
    assert engine.collect(job, tmp_path / "out").files == ("x",)
    engine.remove(job)
    assert of_job(name) == []


def test_ended_holder_engine_fault(tmp_path: Path) -> None:
    name = f"palio-test-{uuid4().hex[:12]}"
    job = Job(name, BASE, Limits(20, 128 * MIB, 1), tmp_path / "log", "/mnt/out", command=("touch", "/mnt/out/x"))
    engine = DockerEngine()
    engine.start(job)
    try:
        while (result := engine.poll(job)) is None:
            time.sleep(0.02)
        assert result.succeeded
        (holder,) = docker("ps", "--quiet", "--filter", f"label=palio.job={name}")
        docker("kill", holder)
        for ask in (lambda: engine.poll(job), lambda: engine.collect(job, tmp_path / "out")):
            with pytest.raises(PalioError, match="the container that held its output ended, so the output is lost"):
                ask()
    finally:
        engine.remove(job)
    assert of_job(name) == []
