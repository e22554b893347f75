"""What a container prints, written beside the run while it runs and made complete when it has ended."""

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
    """Copies a running container's log to a file as it comes, until its kept beginning is full."""

    def __init__(self, name: str, path: Path) -> None:
        self.path = path
        self.complete = False  # everything that was printed is in the file
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
        # What breaks here is made good by save_log, which asks the engine again.
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
    """The log of an ended container: as followed, or asked for again where nobody followed it to its end.

    The engine itself keeps the end of a long log and not its beginning, which the follower has by then.
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
    """The pieces of a log; whatever is not read of it, nothing stays open."""
    chunks = client.api.logs(name, stream=True, follow=follow, tail="all" if tail is None else tail)
    try:
        yield chunks
    finally:
        chunks.close()
        chunks._response.close()  # type: ignore[attr-defined] # the SDK closes the socket, of which this holds a part
