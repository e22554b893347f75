"""The docker command in tests: what it printed if it succeeded, and why tests cannot use an engine here.

A client is not an engine. The command is there on many machines without one; it then fails, prints an empty line, or
waits for ever. So tests ask `fault()` first, and read only what a command that succeeded has printed.
"""

import os
import shutil
import subprocess
from functools import cache
from typing import Any

from palio.engines import find_fault

ANSWER_S = 20.0  # for an engine to respond; the command itself waits without end
COMMAND_S = 600.0  # for anything else, such as a build on a busy machine


class DockerError(Exception):
    """A docker command failed; the text is the command and what it said."""


def fault() -> str | None:
    """Why tests cannot use a Docker engine here, as the middle of a sentence; None if they can."""
    return _fault(os.environ.get("DOCKER_HOST", ""))


@cache
def _fault(_address: str) -> str | None:
    if shutil.which("docker") is None:
        return "there is no docker command"
    # First Palio's own way, which reads no `docker context`, and does not wait for ever.
    if unreachable := find_fault("docker"):
        return unreachable.reason
    try:
        version = docker("version", "--format", "{{.Server.Version}}", timeout_s=ANSWER_S)
    except DockerError as error:
        return f"no Docker engine responds to the docker command: {error}"
    return None if version and version[0] else "the docker command reaches no engine"


def docker(*arguments: object, timeout_s: float = COMMAND_S, **more: Any) -> list[str]:
    """The lines that it printed. Raises DockerError if it fails; then nothing of its output is given."""
    command = ["docker", *map(str, arguments)]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=timeout_s, check=True, **more)
    except subprocess.TimeoutExpired:
        raise DockerError(f"`{' '.join(command)}` took longer than {timeout_s:g} s") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise DockerError(f"`{' '.join(command)}` failed with exit code {error.returncode}: {said}") from error
    except OSError as error:
        raise DockerError(f"`{' '.join(command)}` could not be run: {error}") from error
    return str(ran.stdout.decode(errors="replace")).splitlines()


def docker_if_any(*arguments: object) -> list[str]:
    """The same where a Docker engine responds; nothing where there is none."""
    return [] if fault() else docker(*arguments)


def has_image(name: str) -> bool:
    return name in docker_if_any("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")


def remove_images(*names: str) -> None:
    """Those that exist; others are no fault, as tests tidy up what may be gone."""
    for name in names if fault() is None else ():
        try:
            docker("image", "rm", "--force", name)
        except DockerError as error:
            if "No such image" not in str(error):
                raise
