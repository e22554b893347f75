"""Jobs under which the Docker engine is restarted: for real, on an engine of the test's own."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.second_docker import BASE, Daemon, second_docker

from palio.core.engine import End, Job, JobResult, Limits
from palio.core.errors import Cause, PalioError
from palio.core.quantities import MIB
from palio.engines.docker import DockerEngine

pytestmark = pytest.mark.docker

LIMITS = Limits(time_s=60, memory_bytes=128 * MIB, cpus=1)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with second_docker() as made:
        yield made


@pytest.fixture
def engine(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    monkeypatch.setenv("DOCKER_HOST", daemon.address)
    return DockerEngine()


def job(home: Path, name: str, program: str) -> Job:
    command = ("python", "-c", program)
    return Job(f"palio-test-{name}", BASE, LIMITS, home / f"{name}.log", "/mnt/out", command=command)


def wait(engine: DockerEngine, job: Job) -> JobResult:
    while (result := engine.poll(job)) is None:
        time.sleep(0.05)
    return result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_restart_ends_jobs_engine_fault(
    daemon: Daemon, engine: DockerEngine, tmp_path: Path, number: signal.Signals
) -> None:
    sleeps = job(tmp_path, "sleeps", "import time; time.sleep(60)")
    gives_in = job(tmp_path, "gives-in", "import signal, sys, time\nsignal.signal(15, sys.exit)\ntime.sleep(60)")
    fills = job(tmp_path, "fills", "x = [bytearray(1 << 20) for _ in range(1000)]")
    jobs = (gives_in, fills) if number == signal.SIGTERM else (sleeps, gives_in, fills)  # it waits 10 s for sleepers
    for each in jobs:
        engine.start(each)
    while daemon.run("inspect", "--format", "{{.State.Running}}", fills.name).stdout == b"true\n":
        time.sleep(0.1)  # before anybody has seen how it ended
    daemon.end(number)
    daemon.start()
    fresh = DockerEngine()
    try:
        for each in jobs[:-1]:
            with pytest.raises(PalioError, match="the engine was restarted") as raised:
                wait(fresh, each)
            assert (raised.value.failure.code, raised.value.failure.cause) == ("engine-fault", Cause.PLATFORM)
        assert wait(fresh, fills).end is End.MEMORY  # which the restart has nothing to do with
        after = job(tmp_path, "after", "print('fine')")
        jobs = (*jobs, after)
        fresh.start(after)
        assert wait(fresh, after).succeeded
    finally:
        for each in jobs:
            fresh.remove(each)
    assert daemon.run("ps", "--all", "--quiet").stdout == b""
    assert daemon.run("volume", "ls", "--quiet").stdout == b""
