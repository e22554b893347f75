"""What a killed process leaves with the Docker engine alone: builds, layers, carriers of volumes, images too large."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from palio.core.job import GIB, MIB, Build, BuildLimits, End, Job, JobResult, Limits
from palio.engines.docker import DockerEngine

pytestmark = pytest.mark.docker

BASE = "python:3.11-slim"
START = """\
import sys, time
from pathlib import Path
from palio.core.job import Build, BuildLimits
from palio.engines.docker import DockerEngine

name, digest, context, log = sys.argv[1:]
build = Build(name, digest, Path(context), BuildLimits(60, 2**30, 2**31, network=False), Path(log))
engine = DockerEngine()
engine.start(build)
while engine.poll(build) is None:
    time.sleep(0.02)
"""


def docker(*arguments: str) -> list[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.split()


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


def test_a_killed_build_does_not_go_on_and_is_made_again(tmp_path: Path) -> None:
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


def test_the_layers_of_a_killed_build_go_with_its_attempt(tmp_path: Path) -> None:
    site = Site(tmp_path, "echo in the step && sleep 30")
    site.kill_in_second_step()
    assert site.images != []
    DockerEngine().remove(site.build)
    assert (site.containers, site.images) == ([], [])


def test_the_layers_of_a_killed_build_go_when_it_fails(tmp_path: Path) -> None:
    site = Site(tmp_path, "echo in the step && sleep 30")
    site.kill_in_second_step()
    dockerfile = site.build.context / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("sleep 30", "false"))
    assert not site.finish().succeeded
    assert (site.containers, site.images) == ([], [])


def test_an_image_that_is_there_and_too_large_is_refused(tmp_path: Path) -> None:
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


def test_the_carrier_of_a_volume_is_found_again_and_removed(tmp_path: Path) -> None:
    engine = DockerEngine(volumes_in_reach=False)
    limits = Limits(time_s=20, memory_bytes=128 * MIB, cpus=1)
    name = f"palio-test-{uuid4().hex[:12]}"
    job = Job(name, BASE, limits, tmp_path / "log", "/mnt/out", command=("touch", "/mnt/out/x"))
    make = ["create", "--name", f"{name}-volume", "--volume", f"{name}-out:/out", "palio-owned-folder:1", "-"]
    docker(*make)
    engine.start(job)
    while (result := engine.poll(job)) is None:
        time.sleep(0.02)
    assert (result.end, result.exit_code) == (End.EXITED, 0)
    docker(*make)
    engine.remove(job)
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}") == []
    assert docker("volume", "ls", "--quiet", "--filter", f"name={name}") == []
