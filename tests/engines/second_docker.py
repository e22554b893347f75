"""A second Docker engine, which a test may restart and kill."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import lacking

BASE = "python:3.11-slim"


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
        for shim in self._shims():
            with suppress(ProcessLookupError):
                os.kill(shim, signal.SIGKILL)
        self._spaces.kill()
        self._spaces.wait()
        deadline = time.monotonic() + 10
        while (self._home / "data").exists():  # what was mounted there goes with the name space, a moment later
            shutil.rmtree(self._home / "data", ignore_errors=time.monotonic() < deadline)

    def _shims(self) -> list[int]:
        """What its containers ran in, where an engine was killed before it noted them."""
        address, found = os.fsencode(self._home / "exec/containerd"), []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if words[0].endswith(b"/containerd-shim-runc-v2") and any(each.startswith(address) for each in words):
                    found.append(int(path.parent.name))
        return found

    def run(self, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(["docker", "--host", self.address, *arguments], capture_output=True, check=False, **more)

    def load(self, image: str) -> None:
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            assert self.run("load", stdin=saved.stdout).returncode == 0
        assert saved.returncode == 0


def second_docker_fault() -> str | None:
    """What a second engine lacks here."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("unshare"):
        return "a second Docker engine needs root, dockerd and unshare"
    return None


@contextmanager
def second_docker() -> Iterator[Daemon]:
    """Running, with the base image; of the tests' own, and gone afterwards."""
    if fault := second_docker_fault():
        lacking(fault)
    with tempfile.TemporaryDirectory(prefix="palio-dockerd-") as home:  # short, as sockets' paths have to be
        made = Daemon(Path(home))
        made.start()
        try:
            made.load(BASE)
            yield made
        finally:
            made.end(signal.SIGTERM)
            made.close()
