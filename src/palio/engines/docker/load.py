"""Loads a saved image so that it can neither replace nor name any other image.

The engine never gets the participant's archive. It gets a new one, written while the old one is read: the image's
configuration and layers under our names, and our manifest, which gives the image a single name derived from the
archive's digest. Tags, annotations, parents and external layers are dropped in every layout.

Not covered: an engine that has received the whole archive finishes loading it, even if nobody waits any more.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tarfile import BLOCKSIZE, TarInfo

import docker

from palio.core.engine import JobResult, Load
from palio.core.errors import PalioError
from palio.core.files.log import LogWriter
from palio.core.files.tar_stream import Budget, TarStream
from palio.core.quantities import size_text
from palio.core.submission.image_archive import MAX_MEMBERS, SavedImage, inspect_image
from palio.core.submission.image_manifest import Parts, plain_name
from palio.engines.docker.image_thread import ImageThread, image_tag
from palio.engines.sources.images import pull_image

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}  # the names used by images


def platform_of(info: dict[str, str]) -> str:
    """The platform of an engine in image notation, such as linux/amd64, from its `info`."""
    machine = info["Architecture"]
    return f"{info['OSType']}/{_ARCHITECTURES.get(machine, machine)}"


class _StoppedError(Exception):
    """Nobody waits for the image any more."""


class LoadThread(ImageThread):
    """Inspects one archive, then loads it. Pulls it first if it is in a registry."""

    def __init__(self, load: Load, platform: str) -> None:
        self._load = load
        self._platform = platform
        super().__init__(load)

    def _follow(self, client: docker.DockerClient) -> JobResult:
        load, error = self._load, ""
        with LogWriter(load.log) as log, self._pulled_archive():
            try:
                self._pull(log)
                image = self._inspected()
                log.write(_found(image).encode())
                content = rewritten(load.archive, image.parts, image_tag(load), self._budget())
                for event in self._events(client, "images/load", content, {"quiet": 0}):
                    error = event.get("error", error).strip()
                    log.write(event.get("stream", "").encode())  # without progress messages
            except _StoppedError:
                return self._ended()
        if self._stopped_as:
            return self._ended()
        if error.endswith("no space left on device"):
            raise PalioError("engine-fault", engine="docker", action="loading an image", reason=error)
        if error:
            return replace(self._ended(), exit_code=1, detail=error)
        return self._succeeded(client)

    @contextmanager
    def _pulled_archive(self) -> Iterator[None]:
        """Removes an archive that was pulled; its image is on the engine then, or was refused."""
        try:
            yield
        finally:
            if self._load.pull is not None:
                self._load.archive.unlink(missing_ok=True)

    def _pull(self, log: LogWriter) -> None:
        load = self._load
        if load.pull is None:
            return
        log.write(f"Pulling {load.pull.repository}@{load.pull.manifest}.\n".encode())
        pull_image(
            load.pull,
            load.archive,
            max_bytes=load.limits.size_bytes,
            time_s=load.limits.time_s,
            between=self._raise_if_stopped,
        )

    def _inspected(self) -> SavedImage:
        load = self._load
        try:
            return inspect_image(
                load.archive,
                platform=self._platform,
                max_bytes=load.limits.size_bytes,
                between=self._raise_if_stopped,
            )
        except PalioError as error:
            if load.pull is None:
                raise
            failure = error.failure
            reason = "it has problems" if failure.evidence else failure.message.partition(": ")[2].rstrip(".")
            image = f"{load.pull.repository}@{load.pull.manifest}"
            raise PalioError(
                "reference-unfit",
                image=image,
                platform=self._platform,
                reason=reason,
                evidence=failure.evidence,
            ) from None

    def _budget(self) -> Budget:
        return Budget(self._load.limits.size_bytes, MAX_MEMBERS, self._raise_if_stopped)

    def _raise_if_stopped(self) -> None:
        if self._stopped_as:
            raise _StoppedError


def rewritten(archive: Path, parts: Parts, tag: str, budget: Budget) -> Iterator[bytes]:
    """Yields the archive for the engine in blocks: the image's parts, and nothing else from the participant."""
    names = {parts.config: "config.json"} | {layer: f"{number}.tar" for number, layer in enumerate(parts.layers)}
    layers = [names[layer] for layer in parts.layers]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [tag], "Layers": layers}]).encode()
    yield _header("manifest.json", len(manifest)) + manifest + _padding(len(manifest))
    with archive.open("rb") as file:
        stream = TarStream(file, budget)
        for member in stream.members():
            if member.isreg() and (name := names.get(plain_name(member.name))):
                yield _header(name, member.size)
                yield from stream.data(member)
                yield _padding(member.size)
    yield bytes(2 * BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    member = TarInfo(name)
    member.size = size
    return member.tobuf()


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCKSIZE)


def _found(image: SavedImage) -> str:
    size, layers = size_text(image.size_bytes), len(image.parts.layers)
    return f"One image, {layers} layers, {size} unpacked; no problems found.\n"
