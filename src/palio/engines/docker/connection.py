"""Connects to the Docker engine, or explains why it does not respond."""

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

ANSWER_S = 60  # how long an API call may take before the engine counts as gone
FIRST_ANSWER_S = 5
_LONGEST_ANSWER_BYTES = 65_536
DEFAULT_ADDRESS = "unix:///var/run/docker.sock"

_versions: dict[str, str] = {}  # API version by engine address; cached, because asking takes longer than most calls


def connect() -> docker.DockerClient:
    client = docker.from_env(timeout=ANSWER_S, version=_versions.get(_address()))
    _versions[_address()] = client.api.api_version
    return client


def why_unavailable() -> Unavailable | None:
    """None if a Docker engine responds, else what is missing and the command that adds it."""
    try:
        _check_response()
        client = docker.from_env(timeout=FIRST_ANSWER_S)
        client.ping()
        _versions[_address()] = client.api.api_version
        client.close()
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        return _explain(error)
    return None


def _address() -> str:
    return os.environ.get("DOCKER_HOST", DEFAULT_ADDRESS)


def _check_response() -> None:
    """Raises OSError if nothing responds within FIRST_ANSWER_S, however slowly it sends.

    Called before the SDK connects, because the SDK allows that time per byte and leaves its socket open on failure.
    """
    address, deadline = _address(), time.monotonic() + FIRST_ANSWER_S
    if address.startswith("ssh://"):  # handled by a separate program
        return
    with _socket_to(address) as connection:
        if os.environ.get("DOCKER_TLS_VERIFY"):  # only the SDK has the certificates
            return
        connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
        said = b""
        while b"\r\n\r\n" not in said:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            block = connection.recv(4096)
            said += block
            if not block or len(said) > _LONGEST_ANSWER_BYTES:
                return  # the SDK reports what is wrong


def _socket_to(address: str) -> socket.socket:
    """Opens a socket. Raises ValueError for an invalid address."""
    if address.startswith("unix://"):
        opened = socket.socket(socket.AF_UNIX)
        try:
            opened.settimeout(FIRST_ANSWER_S)
            opened.connect(address.removeprefix("unix://"))
        except BaseException:
            opened.close()
            raise
        return opened
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
            f"this user may not access the Docker engine at {address}",
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
            "Install it: see https://docs.docker.com/engine/install.",
        )
    return Unavailable(
        f"the Docker engine at {address} does not respond ({_reason(error)})",
        "Check `docker info`, and DOCKER_HOST if it is set.",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no response within {FIRST_ANSWER_S} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) if isinstance(error, ValueError) else type(error).__name__


@contextmanager
def faults_named(action: str) -> Iterator[None]:
    """Turns errors of the engine or its connection into PalioError("engine-fault")."""
    try:
        yield
    except APIError as error:
        reason = str(error.explanation or error)
        raise PalioError("engine-fault", engine="docker", action=action, reason=reason) from error
    except (DockerException, requests.RequestException) as error:
        raise PalioError("engine-fault", engine="docker", action=action, reason=str(error)) from error
