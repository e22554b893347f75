"""What a container prints, written beside the run while it runs and made complete when it has ended."""

import threading
from contextlib import suppress
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException

from palio.core.log import LogWriter, append_end
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
        with suppress(APIError, DockerException, requests.RequestException, OSError), LogWriter(self.path) as log:
            chunks = self._client.api.logs(self._name, stream=True, follow=True)
            try:
                for chunk in chunks:
                    log.write(chunk)
                    if log.full:
                        self.full = True
                        return
                self.complete = True
            finally:
                chunks.close()


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
        with LogWriter(path) as log:
            for chunk in client.api.logs(name, stream=True, follow=False):
                log.write(chunk)
                if log.full:
                    break
            else:
                return
    append_end(path, b"".join(client.api.logs(name, stream=True, follow=False, tail=_TAIL_LINES)))
