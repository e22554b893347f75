"""Measures a job's output folder.

Covered: files larger than their blocks, folders without permissions, trees of any depth. No link is followed; every
folder is opened relative to its parent's descriptor. Not covered: deleted files, whose space in the file system is
counted by output_space.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def folder_usage(folder: str, enough_bytes: int, enough_files: int) -> tuple[int, int, int]:
    """Returns bytes in files, number of entries that are not folders, and number of folders. Stops once a limit is
    exceeded.
    """
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
                    with suppress(OSError):  # it may have been deleted
                        size += entry.stat(follow_symlinks=False).st_size
                if size > enough_bytes or files > enough_files or folders > enough_files:
                    return False
        return True

    try:
        within_limits = enter(os.open(folder, _OPEN))
        while within_limits and stack:
            descriptor, names = stack[-1]
            if (name := next(names, None)) is None:
                os.close(stack.pop()[0])
            elif (opened := _open_folder(name, descriptor)) is not None:
                within_limits = enter(opened)
    except OSError:  # deeper than the number of descriptors
        folders = enough_files + 1
    finally:
        for descriptor, _ in stack:
            os.close(descriptor)
    return size, files, folders


def _open_folder(name: str, parent: int) -> int | None:
    """Opens the folder. If its owner has no permission, grants it first."""
    try:
        return os.open(name, _OPEN, dir_fd=parent)
    except PermissionError:
        _open_to_owner(name, parent)
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            return os.open(name, _OPEN, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        pass  # changed meanwhile; the next measurement sees it
    return None


def _open_to_owner(name: str, parent: int) -> None:
    with suppress(OSError):
        path = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            Path(f"/proc/self/fd/{path}").chmod(0o700)
        finally:
            os.close(path)
