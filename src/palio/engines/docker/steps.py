"""Watches the containers in which the steps of a build run: the engine's builder limits neither their disk nor their
number of processes.

Covered: what a step has written, with the image it began with, against the size an image may have; the number of
processes and threads. Both are asked of the engine, so a fast step is stopped somewhat above its limit.
Not covered: what the engine pulls for FROM, which is measured once the image is made.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import docker
import requests
from docker.errors import APIError, DockerException

from palio.core.engine import BuildLimits, End
from palio.engines.docker.connection import connect

MAX_PROCESSES = 4096  # more than a compiler on a large machine starts, far fewer than a machine can hold
MAX_CONTAINERS = 100  # between two looks; a build has one at a time
_LOOK_S, _LOOK_SHARE = 0.25, 4  # looking takes at most a fifth of the time


class StepWatch:
    """`stop` is called, once, with the limit that was passed and by what."""

    def __init__(self, limits: BuildLimits, stop: Callable[[End, str], None]) -> None:
        self._limits, self._stop = limits, stop
        self._containers: dict[str, None] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def look_at(self, container: str) -> None:
        """Adds a container, given by the beginning of its id. One that is not there is soon forgotten.

        A step can print what the engine says of containers; so many of them that the true one is not found, it cannot.
        """
        self._containers[container] = None
        if len(self._containers) > MAX_CONTAINERS:
            self._stop(End.EXITED, "it prints what only the engine may say")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="palio-steps", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Lets the watch end; not waited for, as it may be waiting for the build that it has stopped."""
        self._ended.set()

    def _run(self) -> None:
        client, pause = connect(), _LOOK_S
        try:
            while not self._ended.wait(pause):
                begin = time.monotonic()
                # A look that fails is made up for by the next.
                with suppress(APIError, DockerException, requests.RequestException, OSError):
                    if excess := self._excess(client.api):
                        self._stop(*excess)
                        return
                pause = max(_LOOK_S, (time.monotonic() - begin) * _LOOK_SHARE)
        finally:
            client.close()

    def _excess(self, api: docker.APIClient) -> tuple[End, str] | None:
        looked_at = list(self._containers)
        listed = api.containers(all=True, size=True, filters={"id": looked_at}) if looked_at else []
        for container in looked_at:
            if not any(entry["Id"].startswith(container) for entry in listed):
                del self._containers[container]
        for entry in listed:
            size = int(entry.get("SizeRootFs") or 0)
            if size > self._limits.size_bytes:
                return End.IMAGE_SIZE, str(size)
            stats = api.stats(entry["Id"], stream=False, one_shot=True)
            count = stats.get("pids_stats", {}).get("current") or 0
            if count > MAX_PROCESSES:
                return End.EXITED, f"it started {count:,} processes, more than the {MAX_PROCESSES:,} of a build"
        return None
