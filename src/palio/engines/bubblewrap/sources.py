"""Where a sandbox's mounts come from: places that say nothing of the host, and the job's output file system.

A job can read in /proc/self/mountinfo which folder of the host each of its mounts shows. So whatever is not of the
system or of the interpreter is seen through an overlay of the folder's binding at a neutral place: of that, mountinfo
names only the place. An ordinary user can do so from Linux 5.11 on; where it fails, the folder is bound as it is. So
is a mount that is a single file, of which Palio itself makes none.

Root's jobs cannot reach what lies below closed folders such as /root: the bindings are within reach of any user.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from palio.core.engine import Limits
from palio.core.quantities import MIB
from palio.engines.bubblewrap.kernel import NO_DEVICES, NO_SETUID, READ_ONLY, bind, mount
from palio.engines.output_space import output_inodes, output_size_bytes

Operation = Sequence[str]  # one of bubblewrap's options with its arguments

OUTPUT = "output"  # as the source of a binding: the job's output file system
_BINDS = ("--bind", "--ro-bind", "--ro-bind-try")
_PLACES = "/tmp"  # noqa: S108 - covered in a mount namespace that ends with the job
_EMPTY = f"{_PLACES}/empty"
_OUTPUT = f"{_PLACES}/output"


def make_places() -> None:
    """To be called before the host's /tmp is needed for the last time: it is covered."""
    mount("tmpfs", _PLACES, NO_SETUID | NO_DEVICES, kind="tmpfs", options=f"mode=0755,size={MIB},nr_inodes=20000")
    os.mkdir(_EMPTY)  # noqa: PTH102


def make_output(limits: Limits, uid: int, gid: int) -> int:
    """Mounts the output file system for that user, and gives a descriptor of it."""
    os.mkdir(_OUTPUT)  # noqa: PTH102
    size = f"size={output_size_bytes(limits)},nr_inodes={output_inodes(limits)}"
    owner = f",uid={uid},gid={gid}" if os.geteuid() == 0 else ""
    mount("tmpfs", _OUTPUT, NO_SETUID | NO_DEVICES, kind="tmpfs", options=f"mode=0755,{size}{owner}")
    return os.open(_OUTPUT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class Sources:
    """What the operations bind, opened while the host's /tmp is not covered yet."""

    def __init__(self, operations: Sequence[Operation], hidden: Iterable[str]) -> None:
        """`hidden` are the folders of the host whose paths are not to be seen."""
        self._operations = operations
        self._hidden = sorted(path for path in hidden if Path(path).is_dir())
        wanted = {self._base(operation[1]) for operation in operations if operation[0] in _BINDS}
        self._opened = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sorted(wanted - {OUTPUT})}
        points = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        self._outer = {path for path in self._hidden if any(point.startswith(f"{path}/") for point in points)}

    def placed(self) -> list[Operation]:
        """The same operations, with places as sources."""
        places = {OUTPUT: _OUTPUT}
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
                places[path] = _laid_over(place) or place
        return [
            self._from(places, operation) if operation[0] in _BINDS else operation for operation in self._operations
        ]

    def _from(self, places: dict[str, str], operation: Operation) -> Operation:
        option, source, *rest = operation
        base = self._base(source)
        return (option, places[base] + source.removeprefix(base), *rest)

    def _base(self, source: str) -> str:
        return next((path for path in self._hidden if source == path or source.startswith(f"{path}/")), source)


def _laid_over(place: str) -> str | None:
    """Where the folder bound at `place` is seen through an overlay; None where none can be made."""
    target = f"{place}-seen"
    os.mkdir(target)  # noqa: PTH102
    flags = READ_ONLY | NO_SETUID | NO_DEVICES
    try:
        mount("overlay", target, flags, kind="overlay", options=f"lowerdir={place}:{_EMPTY}")
    except OSError:
        return None
    return target
