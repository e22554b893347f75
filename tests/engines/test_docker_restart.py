"""Jobs under which the Docker engine is restarted: for real, on an engine of the test's own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import lacking

from palio.core.errors import Cause, PalioError
from palio.core.job import MIB, End, Job, JobResult, Limits
from palio.engines.docker import DockerEngine

pytestmark = pytest.mark.docker

BASE = "python:3.11-slim"
LIMITS = Limits(time_s=60, memory_bytes=128 * MIB, cpus=1)


class Daemon:
    """A second engine with name spaces for networks and mounts of its own, which touches nothing of the first."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.address = f"unix://{home / 'socket'}"
        (home / "none.json").write_text("{}")
        self._spaces = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])  # outlive a daemon

    def start(self) -> None:
        own = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "config-file": "none.json"}
        options = [f"--{option}={self._home / name}" for option, name in own.items()]
        enter = ["nsenter", f"--target={self._spaces.pid}", "--net", "--mount"]
        command = [*enter, "dockerd", f"--host={self.address}", "--iptables=false", *options]
        with (self._home / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(150):
            if self._process.poll() is not None:
                break
            if self.run("version").returncode == 0:
                return
            time.sleep(0.2)
        lacking("a second Docker engine cannot be started here")

    def end(self, number: int) -> None:
        containerd = Path("/proc", (self._home / "exec/containerd/containerd.pid").read_text().strip())
        self._process.send_signal(number)
        self._process.wait(timeout=60)
        while containerd.exists():  # it dies with the engine, which cannot begin again before that
            time.sleep(0.05)

    def close(self) -> None:
        self._spaces.kill()
        self._spaces.wait()

    def run(self, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(["docker", "--host", self.address, *arguments], capture_output=True, check=False, **more)

    def load(self, image: str) -> None:
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            assert self.run("load", stdin=saved.stdout).returncode == 0


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("unshare"):
        lacking("a second Docker engine needs root, dockerd and unshare")
    with tempfile.TemporaryDirectory(prefix="palio-dockerd-") as home:  # short, as sockets' paths have to be
        made = Daemon(Path(home))
        made.start()
        try:
            made.load(BASE)
            yield made
        finally:
            made.end(signal.SIGTERM)
            made.close()


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
def test_jobs_that_a_restart_ends_are_the_engines_fault(
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
