"""The layers that a build leaves on the engine when it fails, and their removal.

Covered: layers that the engine has named, and the one that it was writing when it was told to stop; also of a build
whose process was killed, as its log has what the engine said; the container of a step that the engine was killed in.
What a step prints can look like either; so nothing is removed that has a name, or on which anything is built, and no
container that runs or is a job's.
Not covered: the layer being written, on an engine that does not say of which container it is (Docker from 26 on).
"""

import re
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

import docker
from docker.errors import APIError

JOB_LABEL = "palio.job"  # what containers and volumes of jobs have, with the job's name

_LAYER = re.compile(r" ---> ([0-9a-f]{12})")
_CONTAINER = re.compile(r" ---> Running in ([0-9a-f]{12})")
_REMEMBERED = 1000  # an image has far fewer
# How long an engine may take to let go of a step's container, of which it may be writing a layer on a slow disk: one
# that has just been told to stop, and one that was told long ago, or was killed since and never will.
_STOPS_S, _SETTLES_S = 20.0, 2.0


class Layers:
    def __init__(self) -> None:
        self._layers: deque[str] = deque(maxlen=_REMEMBERED)
        self._containers: deque[str] = deque(maxlen=_REMEMBERED)
        self._patience_s = _STOPS_S

    @classmethod
    def of_log(cls, log: Path) -> Self:
        """What a build has left that a process was killed at; nothing where there was none."""
        layers = cls()
        layers._patience_s = _SETTLES_S
        with suppress(FileNotFoundError):
            for line in log.read_text(errors="replace").splitlines():
                layers.note(line)
        return layers

    def note(self, text: str) -> str | None:
        """Takes what the engine says; gives back the container in which a step begins to run, if it says that."""
        if match := _LAYER.match(text):
            self._layers.append(match[1])
        if match := _CONTAINER.match(text):
            self._containers.append(match[1])
            return match[1]
        return None

    def discard(self, client: docker.DockerClient) -> None:
        """Removes them; each takes those below it along. First of all the engine finishes the layer that it writes."""
        self._wait_for_the_last_step(client)
        self._remove_containers(client)
        for layer in [*self._unnamed(client), *reversed(self._layers)]:
            with suppress(APIError):
                image = client.images.get(layer)
                if image.id and not image.tags and not image.attrs.get("RepoDigests"):
                    client.images.remove(image.id)

    def _wait_for_the_last_step(self, client: docker.DockerClient) -> None:
        deadline = time.monotonic() + self._patience_s
        while self._containers and time.monotonic() < deadline:
            if not client.api.containers(all=True, filters={"id": self._containers[-1]}):
                break
            time.sleep(0.02)

    def _remove_containers(self, client: docker.DockerClient) -> None:
        """Those of steps that nobody has waited for to their end, as the engine itself had ended."""
        if not self._containers:
            return
        for container in client.api.containers(all=True, filters={"status": ["exited", "dead", "created"]}):
            if container["Id"][:12] not in self._containers or JOB_LABEL in (container["Labels"] or {}):
                continue
            with suppress(APIError):
                client.api.remove_container(container["Id"])

    def _unnamed(self, client: docker.DockerClient) -> list[str]:
        """Layers that were made of this build's containers when nobody was told any more."""
        if not self._containers:
            return []
        made = []
        for image in client.api.images(filters={"dangling": True}, quiet=True):
            with suppress(APIError):  # somebody else may be removing it
                if client.images.get(image).attrs.get("Container", "")[:12] in self._containers:
                    made.append(image)
        return made
