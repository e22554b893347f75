"""Inspects one layer of a saved image for entries that no engine should unpack.

Covered: absolute names and names with `..`, also as targets of hard links; device nodes, except those in every base
image; sparse files, whose size is only claimed; unknown types of entries. Not covered: odd but harmless names, which
are common in images; symbolic links to anywhere, because an engine unpacks a layer inside the image's root, where
`/etc` is the image's.
"""

import io
import tarfile
from dataclasses import dataclass
from tarfile import TarInfo
from typing import Any

from palio.core.files.tar_stream import Budget, TarStream

# Character devices by number: null, zero, full, random, urandom; tty, console, ptmx. Every job has its own anyway.
_USUAL_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)}
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Layer:
    """`sha256` is the digest of the unpacked layer, in hex. `faults` are the first few as (name, problem)."""

    sha256: str
    faults: tuple[tuple[str, str], ...]


def inspect_layer(file: "io.BufferedReader[Any]", budget: Budget) -> Layer:
    """Reads a layer, plain or gzip, to its end. Raises BrokenTarError or BudgetError."""
    stream = TarStream(file, budget, hashed=True)
    faults: list[tuple[str, str]] = []
    for member in stream.members():
        if len(faults) < _MOST_FAULTS and (fault := _fault(member)):
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
    """What is wrong with a path, whatever its name looks like."""
    if path.startswith("/"):
        return "an absolute path"
    return "a path with .." if ".." in path.split("/") else None
