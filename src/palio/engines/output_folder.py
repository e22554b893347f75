"""A job's output folder while the job may still change it: how much it holds.

Covered: files that were deleted but are still open, files larger than their blocks, folders without permissions, trees
of any depth. No link is followed; every folder is reached from its parent's descriptor.
Not covered: files that were deleted and are only mapped into memory, each of which the limit on a file's size bounds.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from palio.core.job import End, Limits
from palio.core.quantities import size_text

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK_S, _LOOK_SHARE = 0.1, 10  # looking takes at most a tenth of the time
_DELETED_LOOK_S = 0.1  # what one look at open files may take


class OutputWatch:
    """Says when the folder holds more than it may."""

    def __init__(self, folder: str, limits: Limits, members: Callable[[], Iterable[int]]) -> None:
        """`members` gives the PIDs of the job's processes, as this process's machine numbers them."""
        self._folder, self._limits, self._members = folder, limits, members
        self._next = 0.0

    def excess(self, *, at_once: bool = False) -> tuple[End, str] | None:
        """Which limit is passed, and by what; looks only when it is time to, or `at_once`."""
        begin = time.monotonic()
        if begin < self._next and not at_once:
            return None
        limits = self._limits
        size, files, folders = folder_usage(self._folder, limits.output_bytes, limits.output_files)
        if not at_once:
            size += self._deleted_bytes()
        self._next = time.monotonic() + max(_LOOK_S, (time.monotonic() - begin) * _LOOK_SHARE)
        if size > limits.output_bytes:
            return End.OUTPUT_SIZE, f"{size_text(size)} of {size_text(limits.output_bytes)}"
        for count, noun in ((files, "files"), (folders, "folders")):
            if count > limits.output_files:
                return End.OUTPUT_FILES, f"{count:,} {noun} of {limits.output_files:,}"
        return None

    def _deleted_bytes(self) -> int:
        """In files of the output's file system that have no name any more but are still held open."""
        device, deadline = Path(self._folder).stat().st_dev, time.monotonic() + _DELETED_LOOK_S
        found: dict[int, int] = {}
        for pid in self._members():
            if time.monotonic() > deadline:
                break
            with suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
                    with suppress(OSError):
                        facts = os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
                        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0 and facts.st_dev == device:
                            found[facts.st_ino] = max(facts.st_size, facts.st_blocks * 512)
        return sum(found.values())


def folder_usage(folder: str, enough_bytes: int, enough_files: int) -> tuple[int, int, int]:
    """Bytes in files, number of entries that are no folders, number of folders; stops once any of them is passed."""
    size = files = folders = 0
    stack: list[tuple[int, Iterator[str]]] = []

    def enter(descriptor: int) -> bool:
        nonlocal size, files, folders
        inner: list[str] = []
        stack.append((descriptor, iter(inner)))
        with suppress(OSError), os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders += 1
                    inner.append(entry.name)
                else:
                    files += 1
                    with suppress(OSError):  # it may be gone again
                        size += entry.stat(follow_symlinks=False).st_size
                if size > enough_bytes or files > enough_files or folders > enough_files:
                    return False
        return True

    try:
        going_on = enter(os.open(folder, _OPEN))
        while going_on and stack:
            descriptor, names = stack[-1]
            if (name := next(names, None)) is None:
                os.close(stack.pop()[0])
            elif (opened := _open_folder(name, descriptor)) is not None:
                going_on = enter(opened)
    except OSError:  # deeper than there can be descriptors
        folders = enough_files + 1
    finally:
        for descriptor, _ in stack:
            os.close(descriptor)
    return size, files, folders


def _open_folder(name: str, parent: int) -> int | None:
    """A descriptor of the folder; one that its owner has closed to himself is opened to him again."""
    try:
        return os.open(name, _OPEN, dir_fd=parent)
    except PermissionError:
        _open_to_owner(name, parent)
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            return os.open(name, _OPEN, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        pass  # changed meanwhile; the next look sees it
    return None


def _open_to_owner(name: str, parent: int) -> None:
    with suppress(OSError):
        path = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            Path(f"/proc/self/fd/{path}").chmod(0o700)
        finally:
            os.close(path)
