"""Building an image with the engine's own builder.

The engine is given the Dockerfile with everything resolved that decides what it takes (core.dockerfile_resolved), and
what it has under those names is checked before and after (sources.py). What the steps use is watched meanwhile
(steps.py), and their network, if they may have one, leads through a gate (gate.py). The
layers of a build that failed are removed (layers.py); those of one that went well belong to its image.
"""

import json
import re
import time
from collections import deque
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

import docker
from docker.errors import APIError

from palio.core.dockerfile.read import DockerfileError, read_text
from palio.core.dockerfile.resolve import Resolved, resolve
from palio.core.engine import Build, End, JobResult
from palio.core.files.log import LogWriter
from palio.engines.docker.context import write_context
from palio.engines.docker.egress_proxy import Gate, open_gate
from palio.engines.docker.image_thread import ImageThread, image_tag
from palio.engines.docker.layers import Layers
from palio.engines.docker.sources import BUILD_LABEL, TRIGGERS, check_built, check_images
from palio.engines.docker.steps import StepWatch

_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE)
_COPY_FROM = re.compile(r"COPY\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_STEP = re.compile(r"Step \d+/\d+ : (.*)")
_TRIGGERS = re.compile(r"# Executing \d+ build trigger")
_EXIT_CODE = re.compile(r"returned a non-zero code: (\d+)")
_KILLED = 137
# What the engine says of it may name registries and resolvers, and participants read this log: it is evidence instead.
_MISSING = "[palio] This image is not here, and it could not be pulled."
_TAIL_PIECES = 200
_REST_S = 0.001  # for each piece beyond what is kept: the engine waits, so that a talkative step costs nobody a CPU


class BuildThread(ImageThread):
    """One running build."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._passed: tuple[End, str] | None = None  # what it may not do and has done
        super().__init__(build)

    def _follow(self, client: docker.DockerClient) -> JobResult:
        build = self._build
        before = Layers.of_log(build.log)  # it was begun by a process that was killed
        layers = Layers()
        with LogWriter(build.log) as log:
            try:
                resolved = resolve(_dockerfile(build), build.arguments)
                check_images(client, resolved)
                with open_gate(client, build) if _needs_network(build, resolved) else nullcontext() as gate:
                    result = self._run_steps(client, log, layers, gate, resolved)
                if result.succeeded:
                    check_built(client, resolved, image_tag(build))
            except DockerfileError as fault:
                with suppress(APIError):
                    client.images.remove(image_tag(build))
                log.write(f"{fault}\n".encode())
                result = replace(self._ended(), exit_code=1, detail=f"{fault.where}\n{fault.reason}")
        if not result.succeeded:
            layers.discard(client)
        before.discard(client)
        return result

    def _run_steps(
        self, client: docker.DockerClient, log: LogWriter, layers: Layers, gate: Gate | None, resolved: Resolved
    ) -> JobResult:
        build, step, error = self._build, "the Dockerfile", ""
        tail: deque[bytes] = deque(maxlen=_TAIL_PIECES)
        with closing(StepWatch(build.limits, self._give_up)) as watch, TemporaryFile() as spool:
            write_context(build.context, build.dockerfile, resolved.text, spool)
            for event in self._events(client, "build", spool, _parameters(build, gate)):
                error = event.get("error", error).strip()
                text = event.get("stream", "")
                _write(log, tail, text or event.get("status", ""), line=not text)
                if match := _STEP.match(text):
                    step = match[1].strip()
                if container := layers.note(text):
                    watch.look_at(container)
                if _TRIGGERS.match(text):
                    self._give_up(End.EXITED, TRIGGERS)
        failed = _failed(self._ended(), step, error, resolved) if error else None
        if failed:
            _write(log, tail, _MISSING if failed.end is End.BASE_MISSING else error, line=True)
        for refusal in gate.refusals() if gate else ():
            _write(log, tail, f"[palio] The gate of this build refused {refusal}.", line=True)
        if log.full:
            log.write_end(b"".join(tail))
        if self._passed:
            end, detail = self._passed
            if end is not End.IMAGE_SIZE:
                detail = f"{step}\n{detail}"
            return replace(self._ended(), end=end, exit_code=1, detail=detail)
        if self._stopped_as:
            return replace(self._ended(), detail=step)
        return failed or self._made(client)

    def _give_up(self, end: End, detail: str) -> None:
        self._passed = self._passed or (end, detail)
        self.stop(end)


def _dockerfile(build: Build) -> str:
    text = read_text(build.context, build.dockerfile)
    if text is None:
        raise DockerfileError("there is no such file", where=build.dockerfile)
    return text


def _needs_network(build: Build, resolved: Resolved) -> bool:
    """Whether anything could use one: images are pulled by the engine, and only a step does something itself."""
    return build.limits.network and any(each.keyword == "RUN" for each in resolved.instructions)


def _parameters(build: Build, gate: Gate | None) -> dict[str, str | int]:
    return {
        "t": image_tag(build),
        "dockerfile": build.dockerfile,
        "buildargs": json.dumps({**build.arguments, **(gate.arguments if gate else {})}),
        "labels": json.dumps({BUILD_LABEL: build.digest}),
        "memory": build.limits.memory_bytes,
        "memswap": build.limits.memory_bytes,
        "networkmode": gate.network if gate else "none",
        "rm": "true",
        "forcerm": "true",
    }


def _write(log: LogWriter, tail: deque[bytes], text: str, *, line: bool) -> None:
    data = text.encode() + (b"\n" if line and text else b"")
    if log.full and data:
        tail.append(data)
        time.sleep(_REST_S)
    log.write(data)


def _failed(ended: JobResult, step: str, error: str, resolved: Resolved) -> JobResult:
    code = int(match[1]) if (match := _EXIT_CODE.search(error)) else None
    if code is None and (image := _missing_image(step, error, resolved)):
        return replace(ended, end=End.BASE_MISSING, detail=f"{image}\n{error}")
    if code == _KILLED:
        return replace(ended, end=End.MEMORY, exit_code=code, detail=step)
    return replace(ended, exit_code=code or 1, detail=f"{step}\n{'' if code else error}".strip())


def _missing_image(step: str, error: str, resolved: Resolved) -> str | None:
    """The image that a step would have begun with or copied from, as the Dockerfile calls it, if it was for want of it
    that it failed."""
    copied = error.startswith("invalid from flag value")
    match = (_COPY_FROM if copied else _FROM).match(step)
    return next((written for name, written in resolved.images.items() if match and str(name) == match[1]), None)


def log_reused(log: Path, image: str) -> None:
    with LogWriter(log) as writer:
        writer.write(f"This image was built before and is used again: {image}\n".encode())
