"""Follows the pods of one job in a thread, so that asking how it is costs no request.

A watch is resumed where it broke off. It starts again from a list if the server no longer knows that version, and every
few minutes anyway, in case an event was lost. While the API server is unreachable, the pods are unknown.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import urllib3

from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster, GoneError, Json, NotFoundError

WATCH_S, SILENT_S = 60, 75  # a watch ends after this time at the server, and here
RESYNC_S = 300
_RETRY_S = 1.0


class PodWatch:
    """`pods` are the pods with these labels, by name, or None while they are unknown."""

    def __init__(self, cluster: Cluster, path: str, selector: str) -> None:
        self.pods: dict[str, Json] | None = None
        self._cluster, self._path, self._selector = cluster, path, selector
        self._closed = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, name=f"palio-watch-{selector}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the watch and its connection."""
        self._closed.set()
        if response := self._response:
            with suppress(OSError, ValueError, AttributeError):
                response.shutdown()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            self.pods = None

    def _watch(self) -> None:
        while not self._closed.is_set():
            try:
                version = self._list()
                listed = time.monotonic()
                while not self._closed.is_set() and time.monotonic() - listed < RESYNC_S:
                    version = self._follow(version)
            except GoneError:
                continue
            except (PalioError, NotFoundError):
                self.pods = None
                self._closed.wait(_RETRY_S)

    def _list(self) -> str:
        found = self._cluster.get(self._path, labelSelector=self._selector)
        self.pods = {pod["metadata"]["name"]: pod for pod in found.get("items") or ()}
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        """Watches until the server ends it; returns the version to resume from."""
        query = {
            "watch": "true",
            "labelSelector": self._selector,
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_S),
            "allowWatchBookmarks": "true",
        }
        with self._cluster.stream(self._path, SILENT_S, **query) as response:
            self._response = response
            try:
                if self._closed.is_set():  # `close` has come too early to see the response
                    return version
                for event in self._events(response):
                    if event["type"] == "ERROR":
                        if event["object"].get("code") == 410:
                            raise GoneError
                        self._closed.wait(_RETRY_S)
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event)
            finally:
                self._response = None
        return version

    def _take(self, event: Json) -> None:
        pods, pod = dict(self.pods or {}), event["object"]
        if event["type"] in ("ADDED", "MODIFIED"):
            pods[pod["metadata"]["name"]] = pod
        elif event["type"] == "DELETED":
            pods.pop(pod["metadata"]["name"], None)
        self.pods = pods

    def _events(self, response: urllib3.BaseHTTPResponse) -> Iterator[Json]:
        """One JSON object per line. What was cut off is dropped, as the watch is resumed before it."""
        rest = b""
        for chunk in response.stream(2**16, decode_content=True):
            if self._closed.is_set():  # a connection that was shut down no longer decrypts
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
