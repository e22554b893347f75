"""One layer of a saved image, a tar of its own, looked through: what is in it that no engine should unpack?

Covered: names that climb out or are absolute, also as targets of hard links; device nodes but those that every base
image has; sparse files, whose size is only claimed; entries that are nothing known.
Not covered: odd but harmless names, which images are full of; symbolic links, whatever they lead to: an engine unpacks
a layer inside the image's own root, where `/etc` is the image's.
"""

import io
import tarfile
from dataclasses import dataclass
from tarfile import TarInfo
from typing import Any

from palio.core.files.tar_stream import Budget, TarStream

# Character devices by number: null, zero, full, random, urandom; tty, console, ptmx. A job has these of its own anyway.
_USUAL_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)}
_KEPT = 20


@dataclass(frozen=True)
class Layer:
    """`sha256` is that of what it unpacks to, in hex; `faults` are the first few as (name, what is wrong)."""

    sha256: str
    faults: tuple[tuple[str, str], ...]


def look_through_layer(file: "io.BufferedReader[Any]", budget: Budget) -> Layer:
    """Reads a layer, plain or in gzip, to its end. Raises BrokenTarError or BudgetError."""
    stream = TarStream(file, budget, hashed=True)
    faults: list[tuple[str, str]] = []
    for member in stream.members():
        if len(faults) < _KEPT and (fault := _fault(member)):
            faults.append((member.name, fault))
    return Layer(stream.sha256(), tuple(faults))


def _fault(member: TarInfo) -> str | None:
    if fault := path_fault(member.name):
        return fault
    if member.islnk() and (fault := path_fault(member.linkname)):
        return f"a hard link to {fault}"
    if member.issparse() or member.type == tarfile.GNUTYPE_SPARSE:
        return "a sparse file"
    if member.isblk() or (member.ischr() and (member.devmajor, member.devminor) not in _USUAL_DEVICES):
        return "a device"
    if member.type not in tarfile.SUPPORTED_TYPES:
        return "neither a file, a folder nor a link"
    return None


def path_fault(path: str) -> str | None:
    """What is wrong with where a name leads, whatever it looks like."""
    if path.startswith("/"):
        return "an absolute path"
    return "a path that climbs out" if ".." in path.split("/") else None
