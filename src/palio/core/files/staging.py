"""Writes files that appear completely or not at all: built in a hidden folder next to their targets, then renamed.

Covered: an exception, Ctrl-C, a full disk, and a process killed at any moment. A process killed before its files are
complete changes nothing; one killed while they are being moved (a few renames) is finished by the next `staged` or
`settle` in the same folder. Two processes in one folder do not remove each other's work. Not covered: power loss,
because nothing is synced to disk.
"""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from palio.core.errors import PalioError
from palio.core.quantities import size_text

_PREFIX = ".palio-staging-"
_NASCENT = ".palio-nascent-"  # a stage that is not locked yet
_NASCENT_S = 60.0  # creation takes less; otherwise its process was killed
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EIO, errno.EFBIG),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}


@contextmanager
def staged(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Yields paths at which to build new files or folders, one for each of `targets`, all in one folder.

    On a clean exit, what was built replaces its target; a target for which nothing was built is unchanged. On any
    exception, all are unchanged. Raises PalioError `disk-full` or `target-unwritable`; wrap reading of sources inside
    the block in `reading`.
    """
    parent = targets[0].parent
    if any(target.parent != parent for target in targets):
        raise ValueError("all targets of one stage lie in one folder")
    with writing(targets[0]):
        parent.mkdir(parents=True, exist_ok=True)
    settle(parent)
    # the inner one reports a full disk before the stage is removed, the outer one problems with creating the stage
    with writing(targets[0]), _stage(parent) as stage, writing(targets[0]):
        building = stage / "building"
        yield tuple(building / target.name for target in targets)
        building.rename(stage / "ready")  # from here on, the new state counts
        _move_in(stage)


def settle(folder: Path) -> None:
    """Finishes or removes what killed processes have left in `folder`. Leaves the work of running ones untouched."""
    for stage in folder.glob(_PREFIX + "*"):
        with suppress(OSError):  # still locked, or not ours
            try:
                lock = (stage / "lock").open("r+b")
            except FileNotFoundError:  # killed while removing it
                shutil.rmtree(stage)
                continue
            with lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if (stage / "ready").is_dir():
                    _move_in(stage)
                shutil.rmtree(stage)
    for nascent in folder.glob(_NASCENT + "*"):
        with suppress(OSError):
            if time.time() - nascent.stat().st_mtime > _NASCENT_S:
                shutil.rmtree(nascent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns OSErrors from writing at `path` into `disk-full` or `target-unwritable`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
            raise PalioError("disk-full", path=path, free=size_text(shutil.disk_usage(there).free)) from error
        if error.errno in _REFUSED:
            raise PalioError("target-unwritable", path=path, reason=why(error)) from error
        raise


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns OSErrors from reading `path` into `source-unreadable`."""
    try:
        yield
    except OSError as error:
        raise PalioError("source-unreadable", path=path, reason=why(error)) from error


def why(error: OSError) -> str:
    """The operating system's message as the end of a sentence: `no such file or directory`."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


@contextmanager
def _stage(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, locked while its process lives, with `building/`, later `ready/`, and `old/`."""
    nascent = Path(tempfile.mkdtemp(prefix=_NASCENT, dir=parent))
    with (nascent / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (nascent / "building").mkdir()
        (nascent / "old").mkdir()
        # only now it gets a name that `settle` looks for, so it is never unlocked under that name while we live
        stage = nascent.rename(parent / (_PREFIX + nascent.name.removeprefix(_NASCENT)))
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _move_in(stage: Path) -> None:
    """Moves each entry of `ready/` to its target and what it replaces to `old/`, all or none."""
    moves: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        moves.append((source, target))  # recorded first, so that Ctrl-C in between loses nothing
        source.rename(target)

    try:
        for new in sorted((stage / "ready").iterdir()):
            place = stage.parent / new.name
            if os.path.lexists(place):
                move(place, Path(tempfile.mkdtemp(dir=stage / "old")) / new.name)
            move(new, place)
    except BaseException:
        for source, target in reversed(moves):
            if os.path.lexists(target) and not os.path.lexists(source):
                target.rename(source)
        (stage / "ready").rename(stage / "building")
        raise
