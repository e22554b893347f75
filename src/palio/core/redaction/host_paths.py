"""Takes paths of this machine out of what a participant will read.

Covered: the run folder, the challenge and the submission of an attempt, what Palio caches, and the folders of container
engines, each with all that follows it up to a space or quote. Not covered: any other path that a submission has printed
from inside its container, where there is nothing of this machine but what the kernel says of mounts.
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
