"""Building an image with the engine's own builder."""

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import docker
from docker.utils.build import create_archive, exclude_paths

from palio.core.job import Build, End, JobResult
from palio.core.log import LogWriter
from palio.engines.docker.image_thread import ImageThread, image_tag

_STEP = re.compile(r"Step \d+/\d+ : (.*)")
_EXIT_CODE = re.compile(r"returned a non-zero code: (\d+)")
_KILLED = 137


class BuildThread(ImageThread):
    """One running build."""

    def __init__(self, build: Build) -> None:
        self._build = build
        super().__init__(build)

    def _follow(self, client: docker.DockerClient) -> JobResult:
        build, step, error = self._build, "the Dockerfile", ""
        with LogWriter(build.log) as log, TemporaryFile() as spool:
            _write_context(build, spool)
            for event in self._events(client, "build", spool, _parameters(build)):
                if text := event.get("stream") or event.get("status"):
                    log.write(text.encode() if text.endswith("\n") else f"{text}\n".encode())
                if match := _STEP.match(event.get("stream", "")):
                    step = match[1].strip()
                if "error" in event:
                    error = event["error"].strip()
                    log.write(f"{error}\n".encode())
        if self._stopped_as:
            return replace(self._ended(), detail=step)
        return _failed(self._ended(), step, error) if error else self._made(client)


def _parameters(build: Build) -> dict[str, str | int]:
    return {
        "t": image_tag(build.digest),
        "dockerfile": build.dockerfile,
        "buildargs": json.dumps(dict(build.arguments)),
        "memory": build.limits.memory_bytes,
        "memswap": build.limits.memory_bytes,
        "networkmode": "default" if build.limits.network else "none",
        "rm": "true",
        "forcerm": "true",
    }


def _failed(ended: JobResult, step: str, error: str) -> JobResult:
    code = int(match[1]) if (match := _EXIT_CODE.search(error)) else None
    if step.upper().startswith("FROM") and code is None:
        return replace(ended, end=End.BASE_MISSING, detail=f"{step.split()[1]}\n{error}")
    if code == _KILLED:
        return replace(ended, end=End.MEMORY, exit_code=code, detail=step)
    return replace(ended, exit_code=code or 1, detail=f"{step}\n{'' if code else error}".strip())


def _write_context(build: Build, spool: IO[bytes]) -> None:
    """The context as a tar, less what .dockerignore leaves out; owner and times of the host stay here."""
    root = str(build.context)
    ignore = build.context / ".dockerignore"
    patterns = ignore.read_text().splitlines() if ignore.is_file() else []
    create_archive(
        root,
        files=sorted(exclude_paths(root, patterns, dockerfile=build.dockerfile)),
        fileobj=spool,
    )
    spool.seek(0)


def log_reused(log: Path, image: str) -> None:
    with LogWriter(log) as writer:
        writer.write(f"This image was built before and is used again: {image}\n".encode())
