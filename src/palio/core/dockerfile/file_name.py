"""Finds the Dockerfile among the names of a context, also where an editor or a file manager has renamed it."""

from collections.abc import Iterable
from dataclasses import dataclass

DOCKERFILE = "Dockerfile"
_OTHERS = frozenset({"dockerfile", "dockerfile.txt", "containerfile"})


@dataclass(frozen=True)
class Found:
    """The name of the file to read as the Dockerfile. `note` tells its author if it is not the usual one."""

    name: str
    note: str = ""


def find_dockerfile(names: Iterable[str]) -> Found | None:
    """The Dockerfile at the root, or the only file there that can be meant by another spelling."""
    there = {name for name in names if name.lower() in _OTHERS}
    if DOCKERFILE in there:
        return Found(DOCKERFILE)
    if len(there) != 1:
        return None
    name = there.pop()
    return Found(name, f"{name} was read as the Dockerfile; name it exactly `{DOCKERFILE}`, as `docker build` requires")
