"""The sources of a sandbox's mounts: neutral places that reveal nothing about the host, and the output file system.

A job can read in /proc/self/mountinfo which host folder each mount shows. So folders that are not part of the system or
interpreter are mounted through an overlay of a bind mount at a neutral place, and mountinfo only names that place.
Ordinary users can do this since Linux 5.11; where it fails, the folder is bound directly. So are mounts of single
files, which Palio itself never makes.

Root's jobs cannot reach folders below private ones such as /root by path, because the bind mounts must be accessible to
any user.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.engine import Limits
from palio.core.quantities import MIB
from palio.engines.bubblewrap.kernel import NO_DEVICES, NO_SETUID, READ_ONLY, bind, mount
from palio.engines.copies import write_below
from palio.engines.output_space import output_inodes, output_size_bytes

Operation = Sequence[str]  # a bubblewrap option with its arguments

OUTPUT = "output"  # as the source of a bind: the job's output file system
_BINDS = ("--bind", "--ro-bind", "--ro-bind-try")
_PLACES = "/tmp"  # noqa: S108 - covered in a mount namespace that ends with the job
_EMPTY = f"{_PLACES}/empty"
_OUTPUT = f"{_PLACES}/output"


def make_places() -> None:
    """Covers the host's /tmp, so it must be called after the last use of it."""
    mount("tmpfs", _PLACES, NO_SETUID | NO_DEVICES, kind="tmpfs", options=f"mode=0755,size={MIB},nr_inodes=20000")
    os.mkdir(_EMPTY)  # noqa: PTH102


def copy_source(number: int) -> str:
    """As the source of a bind: one of the job's `own_copies`."""
    return f"copy-{number}"


@dataclass(frozen=True)
class Copy:
    """A folder to copy: into the output if `options` is empty, below `at`; else into a file system with these options,
    which is the source `at` of a bind.
    """

    folder: str
    at: str
    options: str = ""


class Copies:
    """The folders to copy, opened while the host's /tmp is not yet covered."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._opened = [(copy, os.open(copy.folder, flags)) for copy in copies]

    def write(self, user: int) -> dict[str, str]:
        """Copies them for that user, after `make_output`. Returns the places by the sources of binds."""
        owner = user if os.geteuid() == 0 else None
        places = {}
        for copy, descriptor in self._opened:
            if copy.options:
                place = places[copy.at] = f"{_PLACES}/{copy.at}"
                os.mkdir(place)  # noqa: PTH102
                mount("tmpfs", place, NO_SETUID | NO_DEVICES, kind="tmpfs", options=f"mode=0755,{copy.options}")
            root, place = (f"{_PLACES}/{copy.at}", "") if copy.options else (_OUTPUT, copy.at)
            write_below(f"/proc/self/fd/{descriptor}", root, place, owner)
            os.close(descriptor)
        return places


def make_output(limits: Limits, uid: int, gid: int) -> int:
    """Mounts the output file system for that user and returns its descriptor."""
    os.mkdir(_OUTPUT)  # noqa: PTH102
    size = f"size={output_size_bytes(limits)},nr_inodes={output_inodes(limits)}"
    owner = f",uid={uid},gid={gid}" if os.geteuid() == 0 else ""
    mount("tmpfs", _OUTPUT, NO_SETUID | NO_DEVICES, kind="tmpfs", options=f"mode=0755,{size}{owner}")
    return os.open(_OUTPUT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class Sources:
    """The files that the operations bind, opened while the host's /tmp is not yet covered."""

    def __init__(self, operations: Sequence[Operation], hidden: Iterable[str], made: Iterable[str] = ()) -> None:
        """`hidden` are host folders whose paths must not be visible. `made` are sources that are no host paths."""
        self._operations = operations
        self._hidden = sorted(path for path in hidden if Path(path).is_dir())
        wanted = {self._base(operation[1]) for operation in operations if operation[0] in _BINDS}
        self._opened = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sorted(wanted - {OUTPUT, *made})}
        points = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        self._outer = {path for path in self._hidden if any(point.startswith(f"{path}/") for point in points)}

    def placed(self, made: Mapping[str, str]) -> list[Operation]:
        """The same operations, with neutral places as sources: those in `made`, and new ones for host paths."""
        places = {OUTPUT: _OUTPUT, **made}
        for number, (path, descriptor) in enumerate(self._opened.items()):
            place = places[path] = f"{_PLACES}/{number}"
            if Path(f"/proc/self/fd/{descriptor}").is_dir():
                os.mkdir(place)  # noqa: PTH102
            else:
                os.close(os.open(place, os.O_CREAT | os.O_CLOEXEC))
            bind(f"/proc/self/fd/{descriptor}", place)
            os.close(descriptor)
            # An overlay would not show what is mounted further down.
            if path in self._hidden and path not in self._outer:
                places[path] = _overlay(place) or place
        return [
            self._from(places, operation) if operation[0] in _BINDS else operation for operation in self._operations
        ]

    def _from(self, places: dict[str, str], operation: Operation) -> Operation:
        option, source, *rest = operation
        base = self._base(source)
        return (option, places[base] + source.removeprefix(base), *rest)

    def _base(self, source: str) -> str:
        return next((path for path in self._hidden if source == path or source.startswith(f"{path}/")), source)


def _overlay(place: str) -> str | None:
    """Where the folder bound at `place` is mounted through an overlay, or None if that fails."""
    target = f"{place}-overlay"
    os.mkdir(target)  # noqa: PTH102
    flags = READ_ONLY | NO_SETUID | NO_DEVICES
    try:
        mount("overlay", target, flags, kind="overlay", options=f"lowerdir={place}:{_EMPTY}")
    except OSError:
        return None
    return target
