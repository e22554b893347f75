"""Computes bubblewrap's arguments for the sandbox's file system: system, interpreter, the image's files and mounts.

bubblewrap 0.8 cannot overlay folders. So a folder with files from only one layer is bound as a whole; where several
layers meet, or something is mounted below, a new folder is created and its entries are bound one by one. The root
itself is such a folder, in memory, and becomes read-only at the end.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.engine import Job
from palio.engines.bubblewrap.image import Image
from palio.engines.bubblewrap.interpreter import LINKS, SYSTEM_FOLDERS
from palio.engines.bubblewrap.sources import OUTPUT, copy_source

Operation = tuple[str, ...]  # a bubblewrap option; of a bind, the second word is a host path
_MOST_WORDS = 8900  # bubblewrap accepts 9,000

# What the dynamic linker reads, the links that Debian keeps there, and what libraries look for on their own.
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ssl", "pki", "ca-certificates", "mime.types")
# Facts about the host: keys, addresses, devices, its own files, and how it was started.
_HIDDEN = tuple(
    f"/proc/{name}"
    for name in (
        *("keys", "key-users", "timer_list", "kallsyms", "cmdline", "config.gz", "diskstats", "interrupts", "kcore"),
        *("latency_stats", "locks", "modules", "partitions", "sched_debug", "slabinfo", "swaps", "vmallocinfo"),
    )
)
_CPU_FACTS = "/sys/devices/system/cpu"  # numerical libraries choose their code and thread counts by it


class MountBlockedError(Exception):
    """The image has a file or link where something must be mounted."""


@dataclass(frozen=True)
class Layer:
    """A file, link or folder of the host that appears at `target`."""

    target: str
    source: Path


def operations(job: Job, image: Image, *, root: Path, etc: Path) -> list[Operation]:
    """Computes the operations. `root` contains the image's files, `etc` the few files made for /etc.

    Raises MountBlockedError.
    """
    layers = [Layer(folder, Path(folder)) for folder in (*SYSTEM_FOLDERS, *image.interpreter.places)]
    layers += [Layer(f"/etc/{name}", Path("/etc", name)) for name in _ETC]
    layers += [Layer(_CPU_FACTS, Path(_CPU_FACTS)), Layer("/etc", etc), Layer("/", root)]
    limits = job.limits
    mounted: dict[str, list[Operation]] = {
        "/proc": [
            ("--proc", "/proc"),
            *(("--ro-bind", "/dev/null", path) for path in _HIDDEN if os.path.lexists(path)),
        ],
        "/dev": [
            ("--dev", "/dev"),
            *_in_memory("/dev/shm", limits.shm_bytes),  # noqa: S108 - the sandbox's own
            *(("--size", "4096"), ("--tmpfs", "/dev/pts"), ("--remount-ro", "/dev/pts")),  # all jobs share one account
            ("--remount-ro", "/dev"),
        ],
        "/tmp": _in_memory("/tmp", limits.memory_bytes),  # noqa: S108
        **{mount.target: [("--ro-bind", str(mount.source), mount.target)] for mount in job.mounts},
        job.output: [("--bind", OUTPUT, job.output)],
        **{copy.target: [("--bind", copy_source(number), copy.target)] for number, copy in enumerate(job.own_copies)},
    }
    # Parts of the interpreter in /tmp are mounted into the new /tmp.
    for place in image.interpreter.places:
        if _is_below(place, "/tmp"):  # noqa: S108
            mounted[place] = [_shown_as_it_is(Path(place), place)]
    executable = image.interpreter.executable
    mounted[LINKS] = [("--symlink", executable, f"{LINKS}/{name}") for name in image.interpreter.links]
    found = list(_lay("/", layers, tuple(mounted)))
    for target in sorted(mounted):  # an outer one before those inside it
        found += mounted[target]
    if sum(map(len, found)) > _MOST_WORDS:
        raise MountBlockedError("the image has too many files in folders that it shares with the system")
    return [*found, ("--remount-ro", "/")]


def _shown_as_it_is(source: Path, target: str) -> Operation:
    return ("--symlink", str(source.readlink()), target) if source.is_symlink() else ("--ro-bind", str(source), target)


def _in_memory(target: str, size_bytes: int) -> list[Operation]:
    return [("--perms", "1777"), ("--size", str(size_bytes)), ("--tmpfs", target)]


def _lay(path: str, layers: Sequence[Layer], mounted: Sequence[str]) -> Iterator[Operation]:
    if path in mounted:
        return
    sources = [source for layer in layers if (source := _at(layer, path)) and os.path.lexists(source)]
    if sources and (top := sources[-1]) and (top.is_symlink() or not top.is_dir()):
        # While bubblewrap mounts, it can reach the host under another name, so no link may be on the way.
        for target in mounted:
            if _is_below(target, path):
                raise MountBlockedError(f"the image has a file or link at {path}, but {target} must be mounted there")
        yield _shown_as_it_is(top, path)
        return
    folders = [source for source in sources if source.is_dir() and not source.is_symlink()]
    inside = [target for target in (*(layer.target for layer in layers), *mounted) if _is_below(target, path)]
    if len(folders) == 1 and not any(os.path.lexists(source) for source in _placed(inside, layers, mounted)):
        yield ("--ro-bind", str(folders[0]), path)
    elif folders or inside:
        if path != "/":
            yield ("--dir", path)
        names = {target.removeprefix(path).lstrip("/").split("/")[0] for target in inside}
        for folder in folders:
            names.update(_entries(folder))
        for name in sorted(names):
            yield from _lay(f"{path.rstrip('/')}/{name}", layers, mounted)


def _placed(inside: Sequence[str], layers: Sequence[Layer], mounted: Sequence[str]) -> Iterator[Path]:
    """Host paths of what appears further down. A mount always counts, a layer only if it exists."""
    for layer in layers:
        if layer.target in inside:
            yield layer.source
    for target in mounted:
        if target in inside:
            yield Path("/")


def _at(layer: Layer, path: str) -> Path | None:
    """Where the layer has what appears at `path`, if that is inside the layer."""
    if layer.target == path:
        return layer.source
    return layer.source / path[len(layer.target) :].lstrip("/") if _is_below(path, layer.target) else None


def _is_below(path: str, folder: str) -> bool:
    return path != folder and path.startswith(f"{folder.rstrip('/')}/")


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - only names are needed
    except PermissionError:
        return []
