"""Reaching the Docker engine: a client that answers, or the reason why none does."""

import getpass
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from palio.core.errors import PalioError
from palio.engines.fault import Unavailable

ANSWER_S = 60  # how long one call of the API may take before the engine counts as gone
FIRST_ANSWER_S = 5
_LONGEST_ANSWER_BYTES = 65_536
DEFAULT_ADDRESS = "unix:///var/run/docker.sock"

_versions: dict[str, str] = {}  # of the API, by the engine's address: asked once, as that takes longer than most calls


def connect() -> docker.DockerClient:
    client = docker.from_env(timeout=ANSWER_S, version=_versions.get(_address()))
    _versions[_address()] = client.api.api_version
    return client


def why_unavailable() -> Unavailable | None:
    """None if a Docker engine answers, else what is missing and the command that adds it."""
    try:
        _knock()
        client = docker.from_env(timeout=FIRST_ANSWER_S)
        client.ping()
        _versions[_address()] = client.api.api_version
        client.close()
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        return _explain(error)
    return None


def _address() -> str:
    return os.environ.get("DOCKER_HOST", DEFAULT_ADDRESS)


def _knock() -> None:
    """Raises OSError where nothing responds within FIRST_ANSWER_S, however slowly it sends.

    Before the SDK asks, which allows that time for each byte and leaves its socket open where nothing responds.
    """
    address, deadline = _address(), time.monotonic() + FIRST_ANSWER_S
    if address.startswith("ssh://"):  # by a program of its own
        return
    with _socket_to(address) as knocking:
        if os.environ.get("DOCKER_TLS_VERIFY"):  # the SDK has the certificates
            return
        knocking.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
        said = b""
        while b"\r\n\r\n" not in said:
            knocking.settimeout(max(0.001, deadline - time.monotonic()))
            block = knocking.recv(4096)
            said += block
            if not block or len(said) > _LONGEST_ANSWER_BYTES:
                return  # the SDK says what is wrong with it


def _socket_to(address: str) -> socket.socket:
    """Raises ValueError for an address that cannot be read."""
    if address.startswith("unix://"):
        connecting = socket.socket(socket.AF_UNIX)
        try:
            connecting.settimeout(FIRST_ANSWER_S)
            connecting.connect(address.removeprefix("unix://"))
        except BaseException:
            connecting.close()
            raise
        return connecting
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise ValueError("it is not unix:///PATH or tcp://HOST:PORT")
    return socket.create_connection((parts.hostname, parts.port or 2375), FIRST_ANSWER_S)


def has_image(reference: str) -> bool:
    client = connect()
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    finally:
        client.close()
    return True


def _explain(error: Exception) -> Unavailable:
    address = _address()
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        return Unavailable(
            f"this user may not talk to the Docker engine at {address}",
            f"Run `sudo usermod -aG docker {getpass.getuser()}` and sign in again.",
        )
    if address.startswith("unix://") and not Path(address.removeprefix("unix://")).exists():
        if shutil.which("dockerd") or shutil.which("docker"):
            return Unavailable(
                f"no Docker engine is running at {address}",
                "Start it with `sudo systemctl start docker` (or open Docker Desktop).",
            )
        return Unavailable(
            "Docker is not installed",
            "Install it as https://docs.docker.com/engine/install describes.",
        )
    return Unavailable(
        f"the Docker engine at {address} does not respond ({_reason(error)})",
        "Check `docker info`; DOCKER_HOST in the environment says where it is looked for.",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came within {FIRST_ANSWER_S} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) if isinstance(error, ValueError) else type(error).__name__


@contextmanager
def faults_named(action: str) -> Iterator[None]:
    """Whatever the engine or the way to it refuses becomes PalioError("engine-fault")."""
    try:
        yield
    except APIError as error:
        reason = str(error.explanation or error)
        raise PalioError("engine-fault", engine="docker", action=action, reason=reason) from error
    except (DockerException, requests.RequestException) as error:
        raise PalioError("engine-fault", engine="docker", action=action, reason=str(error)) from error
