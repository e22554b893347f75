"""A Docker client without an engine behind it: every kind of DOCKER_HOST ends in a sentence, and soon."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import docker_command
from tests.docker_command import DockerError, docker, docker_if_any, remove_images

from palio.engines import find_fault
from palio.engines.docker.connection import FIRST_ANSWER_S
from palio.engines.fault import Unavailable

HANG_S = 30.0  # far more than anything here takes
NEXT = "Check `docker info`, and DOCKER_HOST if it is set."


class Peer:
    """Accepts connections at an address of its own, sends each of `parts` with a pause, and then keeps quiet."""

    def __init__(self, listener: socket.socket, *parts: bytes) -> None:
        self._listener, self._parts = listener, parts
        self._accepted: list[socket.socket] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        self._listener.settimeout(0.05)
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._accepted.append(connection)
            for part in self._parts:
                try:
                    connection.sendall(part)
                except OSError:
                    break
                if self._closing.wait(1):
                    break

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for each in (*self._accepted, self._listener):
            each.close()


@pytest.fixture(params=["unix", "tcp"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> socket.socket:
    if request.param == "tcp":
        return socket.create_server(("127.0.0.1", 0))
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(tmp_path / "engine.sock"))
    made.listen()
    return made


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Peer]]:
    peers: list[Peer] = []
    yield peers
    for each in peers:
        each.close()


def address_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    return f"unix://{name}" if isinstance(name, str) else f"tcp://127.0.0.1:{name[1]}"


@pytest.mark.parametrize(
    "parts",
    [(), (b"HTTP/1.1 200 OK\r\nX-Slow: ", *(b"a" for _ in range(60)))],
    ids=["silent", "a-byte-a-second"],
)
def test_engine_not_responding(
    listener: socket.socket, parts: tuple[bytes, ...], peers: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = address_of(listener)
    monkeypatch.setenv("DOCKER_HOST", address)
    peers.append(Peer(listener, *parts))
    begin = time.monotonic()
    reason = f"the Docker engine at {address} does not respond (no response within {FIRST_ANSWER_S} s)"
    assert find_fault("docker") == Unavailable(reason, NEXT)
    assert time.monotonic() - begin < HANG_S


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:1", "connection refused"),
        ("tcp://[::1", "Invalid IPv6 URL"),
        ("tcp://", "it is not unix:///PATH or tcp://HOST:PORT"),
        ("nonsense", "it is not unix:///PATH or tcp://HOST:PORT"),
    ],
)
def test_engine_unreachable(address: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert find_fault("docker") == Unavailable(f"the Docker engine at {address} does not respond ({reason})", NEXT)


def test_engine_other_server(listener: socket.socket, peers: list[Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address_of(listener))
    peers.append(Peer(listener, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    fault = find_fault("docker")
    assert fault is not None
    assert fault.reason.startswith(f"the Docker engine at {address_of(listener)} does not respond (")


def test_docker_client_without_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/missing.sock")
    assert docker_command.fault() is not None
    assert docker_if_any("network", "inspect", "bridge") == []
    remove_images("palio-build:none")
    with pytest.raises(DockerError, match="`docker network inspect bridge`"):
        docker("network", "inspect", "bridge")


def test_docker_command_hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "docker"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(DockerError, match=r"`docker version` took longer than 0\.2 s"):
        docker("version", timeout_s=0.2)
