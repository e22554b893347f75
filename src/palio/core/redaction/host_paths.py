"""Removes paths of this machine from texts for participants.

Covered: the run folder, challenge and submission of an attempt, Palio's caches, and the folders of container engines,
each up to the next space or quote. Not covered: other paths that a submission prints inside its container, where only
the kernel's mount information mentions this machine.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

_ENGINES = ("/var/lib/docker", "/var/lib/containerd", "/var/run/docker", "/run/docker", "/run/containerd")
_IN_CONTAINERS = {"/", "/mnt", "/mnt/in", "/mnt/out", "/app", "/tmp", "/opt", "/usr", "/home", "/root"}  # noqa: S108


class HostPaths:
    def __init__(self, paths: Iterable[str | Path]) -> None:
        cache = os.environ.get("XDG_CACHE_HOME")
        own = (Path(cache) if cache else Path.home() / ".cache") / "palio"
        given = {str(form) for path in (*paths, own) for form in (path, Path(path).resolve())}
        known = sorted((given - _IN_CONTAINERS) | {*_ENGINES}, key=len, reverse=True)
        self._pattern = re.compile(f"(?:{'|'.join(map(re.escape, known))})[^\\s\"'`]*")

    def removed(self, text: str) -> str:
        return self._pattern.sub("…", text)
