"""Removes the layers that a failed build leaves on the engine.

Covered: layers reported by the engine, and the one it was writing when it was stopped; also those of a build whose
process was killed, because its log has the engine's messages; the container of a step during which the engine was
killed. A step can print lines that look like such messages, so nothing is removed that has a name or that anything is
built on, and no container that is running or belongs to a job. Not covered: the layer being written, on an engine that
does not report its container (Docker 26 and later).
"""

import re
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

import docker
from docker.errors import APIError

JOB_LABEL = "palio.job"  # label of jobs' containers and volumes, with the job's name

_LAYER = re.compile(r" ---> ([0-9a-f]{12})")
_CONTAINER = re.compile(r" ---> Running in ([0-9a-f]{12})")
_REMEMBERED = 1000  # an image has far fewer
# How long an engine may take to release a step's container while writing its layer to a slow disk: if it has just been
# stopped, and if it was stopped long ago or killed, and may never release it.
_STOPS_S, _SETTLES_S = 20.0, 2.0


class Layers:
    def __init__(self) -> None:
        self._layers: deque[str] = deque(maxlen=_REMEMBERED)
        self._containers: deque[str] = deque(maxlen=_REMEMBERED)
        self._patience_s = _STOPS_S

    @classmethod
    def of_log(cls, log: Path) -> Self:
        """The layers left by a build whose process was killed, according to its log; none if there is no log."""
        layers = cls()
        layers._patience_s = _SETTLES_S
        with suppress(FileNotFoundError):
            for line in log.read_text(errors="replace").splitlines():
                layers.note(line)
        return layers

    def note(self, text: str) -> str | None:
        """Parses a message of the engine. Returns the container that a step starts in, if it reports one."""
        if match := _LAYER.match(text):
            self._layers.append(match[1])
        if match := _CONTAINER.match(text):
            self._containers.append(match[1])
            return match[1]
        return None

    def discard(self, client: docker.DockerClient) -> None:
        """Removes the layers, each with those below it. First waits for the layer that the engine is writing."""
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
        """Removes containers of steps that nobody waited for, because the engine stopped."""
        if not self._containers:
            return
        for container in client.api.containers(all=True, filters={"status": ["exited", "dead", "created"]}):
            if container["Id"][:12] not in self._containers or JOB_LABEL in (container["Labels"] or {}):
                continue
            with suppress(APIError):
                client.api.remove_container(container["Id"])

    def _unnamed(self, client: docker.DockerClient) -> list[str]:
        """Layers created from this build's containers after nobody was listening any more."""
        if not self._containers:
            return []
        made = []
        for image in client.api.images(filters={"dangling": True}, quiet=True):
            with suppress(APIError):  # another process may be removing it
                if client.images.get(image).attrs.get("Container", "")[:12] in self._containers:
                    made.append(image)
        return made
