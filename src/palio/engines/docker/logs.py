"""Writes a container's log to a file while it runs, and completes it at the end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException

from palio.core.files.log import LogWriter, append_end
from palio.engines.docker.connection import connect

_TAIL_LINES = 200
_FOLLOWER_ENDS_S = 5


class LogFollower:
    """Copies a running container's log to a file as it grows, until the kept beginning is full."""

    def __init__(self, name: str, path: Path) -> None:
        self.path = path
        self.complete = False  # whether the file has all output
        self.full = False
        self._name = name
        self._client = connect()
        self._thread = threading.Thread(target=self._run, name=f"{name}-log", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(_FOLLOWER_ENDS_S)

    def close(self) -> None:
        self._client.close()
        self._thread.join(_FOLLOWER_ENDS_S)

    def _run(self) -> None:
        # save_log makes up for errors here by asking the engine again.
        with (
            suppress(APIError, DockerException, requests.RequestException, OSError),
            LogWriter(self.path) as log,
            _printed(self._client, self._name, follow=True) as chunks,
        ):
            for chunk in chunks:
                log.write(chunk)
                if log.full:
                    self.full = True
                    return
            self.complete = True


def save_log(client: docker.DockerClient, name: str, path: Path, follower: LogFollower | None) -> None:
    """Saves the log of an ended container, asking the engine again if nobody followed it to its end.

    The engine keeps the end of a long log, but not its beginning, which the follower has by then.
    """
    if follower:
        follower.join()
        follower.close()
    if follower and follower.complete:
        return
    if not (follower and follower.full):
        with LogWriter(path) as log, _printed(client, name) as chunks:
            for chunk in chunks:
                log.write(chunk)
                if log.full:
                    break
            else:
                return
    with _printed(client, name, tail=_TAIL_LINES) as chunks:
        append_end(path, b"".join(chunks))


@contextmanager
def _printed(
    client: docker.DockerClient, name: str, *, follow: bool = False, tail: int | None = None
) -> Iterator[Iterator[bytes]]:
    """Yields the chunks of a log. Closes everything, even if not all is read."""
    chunks = client.api.logs(name, stream=True, follow=follow, tail="all" if tail is None else tail)
    try:
        yield chunks
    finally:
        chunks.close()
        chunks._response.close()  # type: ignore[attr-defined]  # the SDK closes the socket that this holds open
