"""SHA-256 digests of files and lists of files. The same content has the same digest on every machine.

A list's digest covers the relative paths, sizes and contents of regular files, in path order. Times, owners,
permissions and empty folders are not covered, so it never decides whether something can be reused; the digests of
core/files/tree.py do.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from palio.core.files.parallel import for_each_parallel

IGNORED_NAMES = frozenset({"__pycache__", ".git", ".DS_Store", "__MACOSX"})
MAX_LINKED = 100_000  # files behind links to folders, which may multiply
CHUNK_BYTES = 1024 * 1024


class UnfitFile(ValueError):  # noqa: N818 - describes the file
    """A file or link that cannot be digested. The text is a sentence about it."""


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's content as 64 hex digits, read in chunks."""
    return measure(path)[1]


def digest_entries(entries: Iterable[tuple[str, Path]]) -> str:
    """The SHA-256 over one line per (name, file): `name NUL size NUL sha256 LF`, sorted by name as bytes."""
    return digest_measured(measure_all(entries))


def digest_measured(entries: Iterable[tuple[str, int, str]]) -> str:
    """Like `digest_entries`, for files that have already been read: (name, size in bytes, SHA-256)."""
    lines = [b"%s\0%d\0%s\n" % (os.fsencode(name), size_bytes, digest.encode()) for name, size_bytes, digest in entries]
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def files_below(folder: Path, ignored: Set[str] = IGNORED_NAMES) -> Iterator[tuple[str, Path]]:
    """Yields each regular file below a folder as (relative path with slashes, path), in a fixed order.

    A link to a file in the folder counts as that file. Raises UnfitFile for a link that is broken or points outside or
    to a folder, and for devices, pipes and sockets.
    """
    root = folder.resolve()
    waiting = [("", root)]
    while waiting:
        prefix, at = waiting.pop()
        with os.scandir(at) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name in ignored:
                continue
            name = prefix + entry.name
            if entry.is_symlink():
                check_link(name, at / entry.name, root)
            if entry.is_dir():
                waiting.append((f"{name}/", at / entry.name))
            elif entry.is_file():
                yield name, at / entry.name
            else:
                raise UnfitFile(f"{name} is neither a file nor a folder; remove it")


def check_link(name: str, link: Path, root: Path) -> None:
    """Raises UnfitFile for a link that is broken or points outside `root` or to a folder. `root` has no link in its
    path.
    """
    if link_target(name, link, root).is_dir():
        raise UnfitFile(f"{name} is a link to a folder; put the folder itself there")


def link_target(name: str, link: Path, root: Path) -> Path:
    """The target of a link. Raises UnfitFile if it is broken or outside `root`, which has no link in its path."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself
        raise UnfitFile(f"{name} is a broken link; put the file itself there") from None
    if not target.is_relative_to(root):
        raise UnfitFile(f"{name} is a link to the outside; put the file itself there")
    return target


def measure_all(entries: Iterable[tuple[str, Path]]) -> list[tuple[str, int, str]]:
    """Returns (name, size in bytes, SHA-256) of each (name, file)."""
    listed = list(entries)
    measured = for_each_parallel(measure, [path for _, path in listed])
    return [(name, *size_and_digest) for (name, _), size_and_digest in zip(listed, measured, strict=True)]


def measure(path: Path) -> tuple[int, str]:
    """Returns the size in bytes and the digest from one reading, so they match even if the file changes."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size_bytes, digest = 0, hashlib.sha256()
        block_bytes = min(max(os.fstat(file).st_size, 4096), CHUNK_BYTES)  # small blocks for thousands of small files
        while block := os.read(file, block_bytes):
            size_bytes += len(block)
            digest.update(block)
        return size_bytes, digest.hexdigest()
    finally:
        os.close(file)
