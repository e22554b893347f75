"""Writes the log of a job's container to a file while it runs, resuming where a connection was cut.

The API has no position to resume from that is exact, so the log is read again from its beginning, without what was
written before. That is at most the part that is kept. Not covered: a log that is rotated (10 MiB by default) before
its beginning was read, of which the kubelet only serves the newest file.
"""

import threading
from contextlib import suppress
from pathlib import Path

from palio.core.engine import LOG_TAIL_BYTES
from palio.core.errors import PalioError
from palio.core.files.log import LogWriter, append_end
from palio.engines.kubernetes.api import Cluster, NotFoundError
from palio.engines.kubernetes.classify import STAGE

_SILENT_S = 3600.0  # a job may print nothing for long
_ANSWER_S = 30.0
_AGAIN_S = 0.3
_ENDS_S = 10.0
_TAIL_LINES = 200
_CHUNK_BYTES = 64 * 1024


class LogFollower:
    """Follows the log of a container that has been started."""

    def __init__(self, cluster: Cluster, pod_path: str, path: Path) -> None:
        self._cluster, self._url, self._path = cluster, f"{pod_path}/log", path
        self._ended = threading.Event()
        self._full = False
        self._seen = 0  # bytes of the log
        self._thread = threading.Thread(target=self._run, name=f"palio-log-{pod_path}", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Completes the log of a stopped container. Raises PalioError if it cannot be read."""
        self._ended.set()
        self._thread.join(_ENDS_S)
        if self._full:
            append_end(self._path, self._tail())

    def close(self) -> None:
        """Without completing it. The thread ends with its connection."""
        self._ended.set()

    def _run(self) -> None:
        with LogWriter(self._path) as log:
            while not log.full:
                is_last = self._ended.is_set()
                with suppress(PalioError, NotFoundError):  # what was read before counts
                    self._read(log, follow=not is_last)
                if is_last:
                    break
                self._ended.wait(_AGAIN_S)
            self._full = log.full

    def _read(self, log: LogWriter, *, follow: bool) -> None:
        """Writes what follows the bytes that have been seen."""
        position = 0
        query = {"container": STAGE, "follow": "true" if follow else "false"}
        with self._cluster.stream(self._url, _SILENT_S if follow else _ANSWER_S, **query) as response:
            for chunk in response.stream(_CHUNK_BYTES):
                new = chunk[max(0, self._seen - position) :]
                position += len(chunk)
                self._seen = max(self._seen, position)
                log.write(new)
                if log.full:
                    break

    def _tail(self) -> bytes:
        end = bytearray()
        query = {"container": STAGE, "tailLines": str(_TAIL_LINES)}
        with self._cluster.stream(self._url, _ANSWER_S, **query) as response:
            for chunk in response.stream(_CHUNK_BYTES):
                end += chunk
                del end[:-LOG_TAIL_BYTES]
        return bytes(end)
