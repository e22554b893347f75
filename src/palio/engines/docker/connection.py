"""Reaching the Docker engine: a client that answers, or the reason why none does."""

import getpass
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from palio.core.errors import PalioError
from palio.engines.fault import Unavailable

ANSWER_S = 60  # how long one call of the API may take before the engine counts as gone
FIRST_ANSWER_S = 5
DEFAULT_ADDRESS = "unix:///var/run/docker.sock"

_versions: dict[str, str] = {}  # of the API, by the engine's address: asked once, as that takes longer than most calls


def connect() -> docker.DockerClient:
    client = docker.from_env(timeout=ANSWER_S, version=_versions.get(_address()))
    _versions[_address()] = client.api.api_version
    return client


def why_unavailable() -> Unavailable | None:
    """None if a Docker engine answers, else what is missing and the command that adds it."""
    try:
        _knock()  # first, as the SDK leaves its socket open where nobody answers
        client = docker.from_env(timeout=FIRST_ANSWER_S)
        client.ping()
        _versions[_address()] = client.api.api_version
        client.close()
    except (DockerException, requests.RequestException, OSError) as error:
        return _explain(error)
    return None


def _address() -> str:
    return os.environ.get("DOCKER_HOST", DEFAULT_ADDRESS)


def _knock() -> None:
    address = _address()
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(FIRST_ANSWER_S)
            knocking.connect(address.removeprefix("unix://"))


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
        f"the Docker engine at {address} does not answer ({type(error).__name__})",
        "Check `docker info`; DOCKER_HOST in the environment says where it is looked for.",
    )


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
