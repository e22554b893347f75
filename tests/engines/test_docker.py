"""What only the Docker engine has: the way to volumes that this process cannot read, declared volumes, builds."""

import time
from pathlib import Path

import pytest
from tests.docker_command import docker, remove_images

from palio.core.engine import Build, BuildLimits, Collected, End, Job, JobResult, Limits
from palio.core.errors import PalioError
from palio.core.files.tree import digest_tree
from palio.core.quantities import GIB, MIB
from palio.engines.docker import DockerEngine, steps
from palio.engines.docker.holder import IMAGE

pytestmark = pytest.mark.docker

LIMITS = Limits(time_s=20, memory_bytes=128 * MIB, cpus=1, pids=64, output_bytes=2 * MIB, output_files=20)
BUILD_LIMITS = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=2 * GIB, network=False)


class Far:
    """An engine whose volumes are out of this process's reach, as on another machine or for an ordinary user."""

    def __init__(self, home: Path) -> None:
        self.engine = DockerEngine(volumes_in_reach=False)
        self.home = home

    def finish(self, work: Job | Build) -> JobResult:
        self.engine.start(work)
        while (result := self.engine.poll(work)) is None:
            time.sleep(0.02)
        return result

    def build(self, dockerfile: str, **limits: float) -> tuple[Build, JobResult]:
        context = self.home / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile)
        build = Build(
            name=f"palio-test-{self.home.name}-build",
            digest=digest_tree(context),
            context=context,
            limits=BuildLimits(**(vars(BUILD_LIMITS) | limits)),
            log=self.home / "build.log",
        )
        result = self.finish(build)
        self.engine.remove(build)
        return build, result

    def run(self, code: str, image: str = "python:3.11-slim") -> tuple[JobResult, Collected]:
        job = Job(
            name=f"palio-test-{self.home.name}",
            image=image,
            limits=LIMITS,
            log=self.home / "job.log",
            output="/mnt/out",
            command=("python", "-c", code),
        )
        try:
            result = self.finish(job)
            return result, self.engine.collect(job, self.home / "out")
        finally:
            self.engine.remove(job)


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


def test_remote_output_collected(far: Far) -> None:
    make = "import os; os.makedirs('/mnt/out/a/b'); open('/mnt/out/a/b/c.csv', 'w').write('x')"
    result, collected = far.run(f"{make}; os.symlink('/etc', '/mnt/out/l')")
    assert (result.end, result.exit_code) == (End.EXITED, 0)
    assert collected == Collected(("a/b/c.csv",), 1, ("l: a symbolic link",))
    assert (far.home / "out/a/b/c.csv").read_text() == "x"


def test_holder_image_missing(far: Far) -> None:
    remove_images(IMAGE)
    result, _ = far.run("open('/mnt/out/x', 'w')")
    assert result.exit_code == 0


def test_remote_output_at_limit(far: Far) -> None:
    result, collected = far.run("open('/mnt/out/x', 'wb').write(bytes(2 << 20))")
    assert (result.end, result.exit_code, collected.total_bytes) == (End.EXITED, 0, 2 * MIB)


def test_remote_output_over_size(far: Far) -> None:
    result, _ = far.run("open('/mnt/out/x', 'wb').write(bytes(8 << 20))")
    assert (result.end, result.exit_code, result.detail) == (End.OUTPUT_SIZE, 1, "2.06 MiB of 2.00 MiB")


def test_remote_output_over_files(far: Far) -> None:
    result, _ = far.run("for i in range(30): open(f'/mnt/out/{i}', 'w')")
    assert (result.end, result.exit_code, result.detail) == (End.OUTPUT_FILES, 1, "more than 20 files and folders")


def test_declared_volume_in_memory(far: Far) -> None:
    """A VOLUME of the image would be a writable place on the host's disk, unwatched."""
    _, built = far.build("FROM python:3.11-slim\nVOLUME /data\n")
    assert built.image
    result, _ = far.run("import os\nopen('/data/x', 'wb').write(bytes(32 << 20))", built.image)
    assert result.exit_code == 1
    assert "No space left on device" in (far.home / "job.log").read_text()


def test_build_over_time_is_stopped(far: Far) -> None:
    begin = time.monotonic()
    _, result = far.build("FROM python:3.11-slim\nRUN sleep 60\n", time_s=2)
    assert (result.end, result.detail) == (End.TIME, "RUN sleep 60")
    assert time.monotonic() - begin < 10
    assert [command for command in docker("ps", "--format", "{{.Command}}") if "sleep 60" in command] == []


def test_build_over_memory(far: Far) -> None:
    greedy = "RUN python -c 'x = [bytearray(1 << 20) for _ in range(1000)]'"
    _, result = far.build(f"FROM python:3.11-slim\n{greedy}\n", memory_bytes=64 * MIB)
    assert (result.end, result.detail) == (End.MEMORY, greedy)


def test_build_over_size(far: Far) -> None:
    _, result = far.build("FROM python:3.11-slim\nRUN echo too large\n", size_bytes=100 * MIB)
    assert result.end is End.IMAGE_SIZE
    assert int(result.detail) > 100 * MIB


def test_failed_build_leaves_no_layer(far: Far) -> None:
    mark = far.home.name
    _, result = far.build(f"FROM python:3.11-slim\nENV MARK={mark}\nRUN echo {mark} > /x\nRUN exit 3\n")
    assert (result.exit_code, result.detail) == (3, "RUN exit 3")
    left = docker("image", "ls", "-q", "--filter", "dangling=true")
    assert not [layer for layer in left if mark in str(DockerEngine()._client.images.get(layer).attrs)]


def test_build_over_disk(far: Far) -> None:
    _, result = far.build("FROM python:3.11-slim\nRUN cat /dev/zero > /x\n", size_bytes=300 * MIB)
    assert result.end is End.IMAGE_SIZE
    assert result.wall_s < 20


def test_build_over_processes(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_PROCESSES", 50)
    many = "RUN for i in $(seq 100); do sleep 60 & done; wait"
    _, result = far.build(f"FROM python:3.11-slim\n{many}\n")
    assert result.detail.startswith(f"{many}\nit started ")
    assert result.wall_s < 20


def test_build_ignores_onbuild_triggers(far: Far) -> None:
    base = f"trigger-{far.home.name}".lower()
    dockerfile = b"FROM python:3.11-slim\nONBUILD RUN sleep 60\n"
    docker("build", "-q", "-t", base, "-", input=dockerfile)
    try:
        _, result = far.build(f"FROM {base}\nENV A=1\n")
    finally:
        remove_images(base)
    assert "triggers (ONBUILD) are not run" in result.detail
    assert result.wall_s < 20


def test_build_log_keeps_its_end(far: Far) -> None:
    build, result = far.build("FROM python:3.11-slim\nRUN seq 400000 && exit 3\n")
    log = build.log.read_text()
    assert result.exit_code == 3
    assert "[palio: the middle of this log was cut here]" in log
    assert log.splitlines()[-1].endswith("returned a non-zero code: 3")


def test_build_has_no_network(far: Far) -> None:
    _, result = far.build("FROM python:3.11-slim\nRUN test $(ls /sys/class/net | wc -l) = 1\n")
    assert result.succeeded


def test_check_too_many_cpus(far: Far) -> None:
    with pytest.raises(PalioError, match="The challenge asks for cpus = 4096"):
        far.engine.check(Limits(time_s=1, memory_bytes=MIB, cpus=4096))


def test_docker_cleaned_up(far: Far) -> None:
    far.run("open('/mnt/out/x', 'w')")
    for kind in (["ps", "-aq"], ["volume", "ls", "-q"]):
        assert docker(*kind, "--filter", f"label=palio.job=palio-test-{far.home.name}") == []
