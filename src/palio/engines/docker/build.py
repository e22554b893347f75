"""Builds an image with the engine's own builder.

The engine gets a fully resolved Dockerfile (core.dockerfile.resolve). The images it names are checked before and after
the build (sources.py). The steps' resource use is watched (steps.py), and their network, if allowed, goes through an
egress proxy (egress_proxy.py). The layers of a failed build are removed (layers.py); those of a successful one belong
to its image.
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
from palio.engines.docker.egress_proxy import EgressProxy, open_egress_proxy
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
# The engine's message may name registries and resolvers, so it becomes evidence instead of going to this log, which
# participants read.
_MISSING = "[palio] This image does not exist here and could not be pulled."
_TAIL_PIECES = 200
_THROTTLE_S = 0.001  # per chunk beyond what is kept: the engine waits, so a chatty step does not occupy a CPU


class BuildThread(ImageThread):
    """One running build."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._passed: tuple[End, str] | None = None  # the limit that was exceeded
        super().__init__(build)

    def _follow(self, client: docker.DockerClient) -> JobResult:
        build = self._build
        before = Layers.of_log(build.log)  # started by a process that was killed
        layers = Layers()
        with LogWriter(build.log) as log:
            try:
                resolved = resolve(_dockerfile(build), build.arguments)
                check_images(client, resolved)
                with open_egress_proxy(client, build) if _needs_network(build, resolved) else nullcontext() as proxy:
                    result = self._run_steps(client, log, layers, proxy, resolved)
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
        self, client: docker.DockerClient, log: LogWriter, layers: Layers, proxy: EgressProxy | None, resolved: Resolved
    ) -> JobResult:
        build, step, error = self._build, "the Dockerfile", ""
        tail: deque[bytes] = deque(maxlen=_TAIL_PIECES)
        with closing(StepWatch(build.limits, self._give_up)) as watch, TemporaryFile() as spool:
            write_context(build.context, build.dockerfile, resolved.text, spool)
            for event in self._events(client, "build", spool, _parameters(build, proxy)):
                error = event.get("error", error).strip()
                text = event.get("stream", "")
                _write(log, tail, text or event.get("status", ""), line=not text)
                if match := _STEP.match(text):
                    step = match[1].strip()
                if container := layers.note(text):
                    watch.watch(container)
                if _TRIGGERS.match(text):
                    self._give_up(End.EXITED, TRIGGERS)
        failed = _failed(self._ended(), step, error, resolved) if error else None
        if failed:
            _write(log, tail, _MISSING if failed.end is End.BASE_MISSING else error, line=True)
        for refusal in proxy.refusals() if proxy else ():
            _write(log, tail, f"[palio] The egress proxy refused {refusal}.", line=True)
        if log.full:
            log.write_end(b"".join(tail))
        if self._passed:
            end, detail = self._passed
            if end is not End.IMAGE_SIZE:
                detail = f"{step}\n{detail}"
            return replace(self._ended(), end=end, exit_code=1, detail=detail)
        if self._stopped_as:
            return replace(self._ended(), detail=step)
        return failed or self._succeeded(client)

    def _give_up(self, end: End, detail: str) -> None:
        self._passed = self._passed or (end, detail)
        self.stop(end)


def _dockerfile(build: Build) -> str:
    text = read_text(build.context, build.dockerfile)
    if text is None:
        raise DockerfileError("the file does not exist", where=build.dockerfile)
    return text


def _needs_network(build: Build, resolved: Resolved) -> bool:
    """Whether any step could use a network. The engine pulls images, so only RUN needs one."""
    return build.limits.network and any(each.keyword == "RUN" for each in resolved.instructions)


def _parameters(build: Build, proxy: EgressProxy | None) -> dict[str, str | int]:
    return {
        "t": image_tag(build),
        "dockerfile": build.dockerfile,
        "buildargs": json.dumps({**build.arguments, **(proxy.arguments if proxy else {})}),
        "labels": json.dumps({BUILD_LABEL: build.digest}),
        "memory": build.limits.memory_bytes,
        "memswap": build.limits.memory_bytes,
        "networkmode": proxy.network if proxy else "none",
        "rm": "true",
        "forcerm": "true",
    }


def _write(log: LogWriter, tail: deque[bytes], text: str, *, line: bool) -> None:
    data = text.encode() + (b"\n" if line and text else b"")
    if log.full and data:
        tail.append(data)
        time.sleep(_THROTTLE_S)
    log.write(data)


def _failed(ended: JobResult, step: str, error: str, resolved: Resolved) -> JobResult:
    code = int(match[1]) if (match := _EXIT_CODE.search(error)) else None
    if code is None and (image := _missing_image(step, error, resolved)):
        return replace(ended, end=End.BASE_MISSING, detail=f"{image}\n{error}")
    if code == _KILLED:
        return replace(ended, end=End.MEMORY, exit_code=code, detail=step)
    return replace(ended, exit_code=code or 1, detail=f"{step}\n{'' if code else error}".strip())


def _missing_image(step: str, error: str, resolved: Resolved) -> str | None:
    """The image, as written in the Dockerfile, that a step failed to start from or copy from because it is missing."""
    copied = error.startswith("invalid from flag value")
    match = (_COPY_FROM if copied else _FROM).match(step)
    return next((written for name, written in resolved.images.items() if match and str(name) == match[1]), None)


def log_reused(log: Path, image: str) -> None:
    with LogWriter(log) as writer:
        writer.write(f"Reusing an image that was built before: {image}\n".encode())
