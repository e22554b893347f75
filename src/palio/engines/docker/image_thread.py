"""Builds or loads an image in a thread that can be stopped by closing its connection.

The response stream is the engine's word on what failed and why. The output of build steps arrives in it as separate
events, so nothing a step prints can be mistaken for the engine's verdict.
"""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, ImageNotFound
from docker.types import CancellableStream

from palio.core.engine import Build, End, JobResult, Load
from palio.core.quantities import KIB
from palio.engines.docker.connection import ANSWER_S, connect

_CHUNK_BYTES = 64 * KIB  # the engine never waits for a full chunk


def image_tag(work: Build | Load) -> str:
    """The name of the image that this work creates. No other work has it."""
    return f"palio-build:{work.image_key}"


def existing_image(client: docker.DockerClient, work: Build | Load) -> JobResult | None:
    """The result if an image was already made from exactly this, else None."""
    now = datetime.now(UTC)
    with suppress(ImageNotFound):
        return _judged(client, work, JobResult(End.EXITED, None, now, now))
    return None


def _judged(client: docker.DockerClient, work: Build | Load, ended: JobResult) -> JobResult:
    """The result of a success, unless the image is too large. Raises ImageNotFound."""
    tag = image_tag(work)
    image = client.images.get(tag)
    size = int(image.attrs["Size"])
    if size > work.limits.size_bytes:
        with suppress(APIError):  # it may be in use where a larger size is allowed
            client.images.remove(tag)
        return replace(ended, end=End.IMAGE_SIZE, detail=str(size))
    return replace(ended, exit_code=0, image=str(image.id))


class ImageThread(ABC):
    """One image being made. `result` is None until it finishes; `stop` makes the engine abandon it."""

    def __init__(self, work: Build | Load) -> None:
        self.result: JobResult | None = None
        self._work = work
        self._started = datetime.now(UTC)
        self._deadline = time.monotonic() + work.limits.time_s
        self._stopped_as: End | None = None
        self._fault: Exception | None = None
        self._stream: CancellableStream[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=work.name, daemon=True)
        self._thread.start()

    def poll(self) -> JobResult | None:
        """The result, or None. Stops the work at its time limit. Raises whatever prevented the engine from doing it."""
        if self._thread.is_alive() and time.monotonic() > self._deadline:
            self.stop(End.TIME)
        if self._fault:
            raise self._fault
        return self.result

    def stop(self, why: End) -> None:
        """Closes the connection, which makes the engine stop, and waits for that."""
        self._stopped_as = self._stopped_as or why
        if self._stream:
            with suppress(OSError, AttributeError):
                self._stream.close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    @abstractmethod
    def _follow(self, client: docker.DockerClient) -> JobResult:
        """Does the work and returns its result."""

    def _run(self) -> None:
        try:
            with closing(connect()) as client:
                self.result = self._follow(client)
        except Exception as error:  # noqa: BLE001 - raised again when the work is polled
            self._fault = error

    def _ended(self) -> JobResult:
        return JobResult(self._stopped_as or End.EXITED, None, self._started, datetime.now(UTC))

    def _succeeded(self, client: docker.DockerClient) -> JobResult:
        return _judged(client, self._work, self._ended())

    def _events(
        self,
        client: docker.DockerClient,
        path: str,
        data: IO[bytes] | Iterable[bytes],
        params: Mapping[str, str | int],
    ) -> Iterator[dict[str, Any]]:
        """Yields the engine's events, one JSON object per line. Uses its own request, because the SDK's methods hide
        the connection.
        """
        with client.api.post(
            f"{client.api.base_url}/v{client.api.api_version}/{path}",
            data=data,
            headers={"Content-Type": "application/x-tar"},
            params=params,
            stream=True,
            timeout=(ANSWER_S, self._work.limits.time_s + 60),
        ) as response:
            if response.status_code != requests.codes.ok:
                yield {"error": response.json().get("message", response.text)}
                return
            self._stream = CancellableStream(response.iter_lines(_CHUNK_BYTES), response)
            if self._stopped_as:
                self._stream.close()
            for line in self._stream:
                if line:
                    yield json.loads(line)
