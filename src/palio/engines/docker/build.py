"""Building an image with the engine's own builder, in a thread that can be stopped by closing its connection.

The stream of a build is the engine's word on which step failed and why; what the steps print comes through it too, as
separate events, so that nothing a step prints can be taken for the engine's verdict.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import docker
import requests
from docker.errors import ImageNotFound
from docker.types import CancellableStream
from docker.utils.build import create_archive, exclude_paths

from palio.core.job import Build, End, JobResult
from palio.core.log import LogWriter
from palio.engines.docker.connection import ANSWER_S, connect

_STEP = re.compile(r"Step \d+/\d+ : (.*)")
_EXIT_CODE = re.compile(r"returned a non-zero code: (\d+)")
_KILLED = 137


def image_tag(digest: str) -> str:
    """The name of the image made from what has this digest (SHA-256 in hex)."""
    return f"palio-build:{digest}"


class BuildThread:
    """One running build. `result` is None until it has ended; `stop` makes the engine give it up."""

    def __init__(self, build: Build) -> None:
        self.result: JobResult | None = None
        self._build = build
        self._started = datetime.now(UTC)
        self._deadline = time.monotonic() + build.limits.time_s
        self._stopped_as: End | None = None
        self._fault: Exception | None = None
        self._stream: CancellableStream[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=build.name, daemon=True)
        self._thread.start()

    def poll(self) -> JobResult | None:
        """The result, or None; ends the build when its time is over. Raises what kept the engine from building."""
        if self._thread.is_alive() and time.monotonic() > self._deadline:
            self.stop(End.TIME)
        if self._fault:
            raise self._fault
        return self.result

    def stop(self, why: End) -> None:
        """Closes the connection, on which the engine ends the running step, and waits until that is so."""
        self._stopped_as = self._stopped_as or why
        if self._stream:
            with suppress(OSError, AttributeError):
                self._stream.close()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        client = connect()
        try:
            self.result = self._follow(client)
        except Exception as error:  # noqa: BLE001 - it is raised again where the build is polled
            self._fault = error
        finally:
            client.close()

    def _follow(self, client: docker.DockerClient) -> JobResult:
        build, step, error = self._build, "the Dockerfile", ""
        with LogWriter(build.log) as log, TemporaryFile() as spool:
            _write_context(build, spool)
            for event in self._events(client, spool):
                if text := event.get("stream") or event.get("status"):
                    log.write(text.encode() if text.endswith("\n") else f"{text}\n".encode())
                if match := _STEP.match(event.get("stream", "")):
                    step = match[1].strip()
                if "error" in event:
                    error = event["error"].strip()
                    log.write(f"{error}\n".encode())
        ended = JobResult(End.EXITED, None, self._started, datetime.now(UTC))
        if self._stopped_as:
            return replace(ended, end=self._stopped_as, detail=step)
        if error:
            return _failed(ended, step, error)
        image = client.images.get(image_tag(build.digest))
        size = int(image.attrs["Size"])
        if size > build.limits.size_bytes:
            client.images.remove(image_tag(build.digest))
            return replace(ended, end=End.IMAGE_SIZE, detail=str(size))
        return replace(ended, exit_code=0, image=str(image.id))

    def _events(self, client: docker.DockerClient, spool: IO[bytes]) -> Iterator[dict[str, Any]]:
        """The engine's events, one JSON object a line. Posted here, as the SDK's own build hides its connection."""
        limits = self._build.limits
        response = client.api.post(
            f"{client.api.base_url}/v{client.api.api_version}/build",
            data=spool,
            headers={"Content-Type": "application/x-tar"},
            params={
                "t": image_tag(self._build.digest),
                "dockerfile": self._build.dockerfile,
                "buildargs": json.dumps(dict(self._build.arguments)),
                "memory": limits.memory_bytes,
                "memswap": limits.memory_bytes,
                "networkmode": "default" if limits.network else "none",
                "rm": "true",
                "forcerm": "true",
            },
            stream=True,
            timeout=(ANSWER_S, limits.time_s + 60),
        )
        if response.status_code != requests.codes.ok:
            yield {"error": response.json().get("message", response.text)}
            return
        self._stream = CancellableStream(response.iter_lines(), response)
        if self._stopped_as:
            self._stream.close()
        for line in self._stream:
            if line:
                yield json.loads(line)


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


def existing_image(client: docker.DockerClient, digest: str) -> str | None:
    """The id of the image that was built from what has this digest, if it is here."""
    try:
        return str(client.images.get(image_tag(digest)).id)
    except ImageNotFound:
        return None


def log_reused(log: Path, image: str) -> None:
    with LogWriter(log) as writer:
        writer.write(f"This image was built before and is used again: {image}\n".encode())
