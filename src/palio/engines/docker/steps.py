"""Watches the containers of a build's steps, because the engine's builder limits neither their disk nor their
processes.

Covered: what a step has written, including the image it began with, against the maximum image size; the number of
processes and threads. Both are queried from the engine, so a fast step is stopped somewhat above its limit. Not
covered: what the engine pulls for FROM, which is measured when the image is complete.
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

MAX_PROCESSES = 4096  # more than a compiler on a large machine starts, far fewer than a machine can handle
MAX_CONTAINERS = 100  # between two checks; a build has one at a time
_LOOK_S, _LOOK_SHARE = 0.25, 4  # checking takes at most a fifth of the time


class StepWatch:
    """Calls `stop` once with the exceeded limit and by how much."""

    def __init__(self, limits: BuildLimits, stop: Callable[[End, str], None]) -> None:
        self._limits, self._stop = limits, stop
        self._containers: dict[str, None] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, container: str) -> None:
        """Adds a container by a prefix of its id. Unknown ones are soon forgotten.

        A step can print lines that look like the engine's messages about containers, but not so many that the real one
        is missed.
        """
        self._containers[container] = None
        if len(self._containers) > MAX_CONTAINERS:
            self._stop(End.EXITED, "it prints lines that only the engine may print")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="palio-steps", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ends the watch without waiting, because it may be waiting for the build it has stopped."""
        self._ended.set()

    def _run(self) -> None:
        client, pause = connect(), _LOOK_S
        try:
            while not self._ended.wait(pause):
                begin = time.monotonic()
                # The next check makes up for one that fails.
                with suppress(APIError, DockerException, requests.RequestException, OSError):
                    if excess := self._excess(client.api):
                        self._stop(*excess)
                        return
                pause = max(_LOOK_S, (time.monotonic() - begin) * _LOOK_SHARE)
        finally:
            client.close()

    def _excess(self, api: docker.APIClient) -> tuple[End, str] | None:
        watched = list(self._containers)
        listed = api.containers(all=True, size=True, filters={"id": watched}) if watched else []
        for container in watched:
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
