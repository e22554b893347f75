"""How much a job's output folder holds.

Covered: files larger than their blocks, folders without permissions, trees of any depth. No link is followed; every
folder is reached from its parent's descriptor.
Not covered: files that were deleted. What the folder's file system holds of them is counted by output_space.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


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
