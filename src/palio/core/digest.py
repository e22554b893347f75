"""The SHA-256 of files and folders: the same content gives the same digest, on every machine.

A folder's digest covers the relative paths, sizes and contents of its regular files, in the order of their paths. It
does not cover times, owners and permissions, empty folders, and what tools leave behind (IGNORED_NAMES).
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

IGNORED_NAMES = frozenset({"__pycache__", ".git", ".DS_Store", "__MACOSX"})
CHUNK_BYTES = 1024 * 1024


class UnfitFile(ValueError):  # noqa: N818 - it says what the file is
    """A file or link that cannot be part of a digest; the text is a sentence about it."""


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's content as 64 hexadecimal digits, read piece by piece."""
    return measure(path)[1]


def digest_folder(folder: Path) -> str:
    """The SHA-256 of a folder as 64 hexadecimal digits. Raises UnfitFile for what `files_below` refuses."""
    return digest_entries(files_below(folder))


def digest_entries(entries: Iterable[tuple[str, Path]]) -> str:
    """The SHA-256 over one line for each (name, file): `name NUL size NUL sha256 LF`, sorted by name as bytes."""
    return digest_measured((name, *measure(path)) for name, path in entries)


def digest_measured(entries: Iterable[tuple[str, int, str]]) -> str:
    """The same over (name, size in bytes, SHA-256) of files that have been read already."""
    lines = [b"%s\0%d\0%s\n" % (os.fsencode(name), size_bytes, digest.encode()) for name, size_bytes, digest in entries]
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def files_below(folder: Path, ignored: Set[str] = IGNORED_NAMES) -> Iterator[tuple[str, Path]]:
    """Every regular file below a folder as (relative path with slashes, path), in a fixed order.

    A link to a file inside is taken as that file. Raises UnfitFile for a link that leads outside, to a folder or
    nowhere, and for devices, pipes and sockets: their content is not the folder's own.
    """
    root = folder.resolve()
    waiting = [root]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.name in ignored:
                continue
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                _check_link(name, path, root)
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                yield name, path
            else:
                raise UnfitFile(f"{name} is neither a file nor a folder; remove it")


def _check_link(name: str, link: Path, root: Path) -> None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
        raise UnfitFile(f"{name} is a link that leads nowhere; put the file itself there") from None
    if not target.is_relative_to(root):
        raise UnfitFile(f"{name} is a link that leads outside; put the file itself there")
    if target.is_dir():
        raise UnfitFile(f"{name} is a link to a folder; put the folder itself there")


def measure(path: Path) -> tuple[int, str]:
    """Size in bytes and digest from one reading, so that they belong together even if the file is being changed."""
    size_bytes, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            size_bytes += len(chunk)
            digest.update(chunk)
    return size_bytes, digest.hexdigest()
