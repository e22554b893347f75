"""What is in a folder: one list of entries, from which a folder is copied, sent to a builder, and digested.

Two lists of the same folder:

    entries_as_is      everything in it, links as links, with the modes that they have: what a builder sees of a context
    entries_to_copy    what Palio copies of somebody else's folder before a job sees it: without IGNORED_NAMES, links to
                       files inside as those files, 0755 for folders and (of programs) executable files, else 0644

Covered by a digest: the name, kind and mode of every entry, empty folders among them; a file's bytes; a link's target;
and RULE, so that what was made under another rule is never taken for the same. A copy, listed as it is, has the digest
of what it was copied from.

Not covered: times, owners and extended attributes. Builders and copies leave these behind or make them uniform.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from palio.core.files.collect import copy_content
from palio.core.files.digest import IGNORED_NAMES, UnfitFile, check_link, measure
from palio.core.files.parallel import several_at_once

RULE = 2  # 1 was `digest_entries` over files alone; to be raised with every change of what a digest covers
TIME_NS = 946_684_800 * 10**9  # 2000-01-01, the one time that copies and the files of images have
_FOLDER, _FILE, _EXECUTABLE, _LINK = (
    stat.S_IFDIR | 0o755,
    stat.S_IFREG | 0o644,
    stat.S_IFREG | 0o755,
    stat.S_IFLNK | 0o777,
)
_KINDS = (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK)


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder, regular file or link. `mode` has its kind and permissions, as in `st_mode`."""

    name: str  # relative to the folder, with slashes
    path: Path
    mode: int

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)


def entries_as_is(folder: Path) -> Iterator[Entry]:
    """Everything below a folder, each folder before what is in it. Raises UnfitFile for pipes, devices and sockets."""
    for name, found in _walk(folder):
        mode = found.stat(follow_symlinks=False).st_mode
        yield Entry(name, Path(found.path), _LINK if stat.S_ISLNK(mode) else mode)


def entries_to_copy(
    folder: Path,
    *,
    executable: bool,
    leave_out: Set[str] = IGNORED_NAMES,
    skip: Callable[[str], bool] | None = None,
) -> Iterator[Entry]:
    """What `copy_tree` takes of a folder. Files keep their execute bit if `executable`, as those of programs have to.

    `leave_out` are names that are not looked into; `skip` says of a relative path whether that entry is left out, but
    not what is in it. Raises UnfitFile for a link that leads outside, to a folder or nowhere, and for pipes, devices
    and sockets.
    """
    root = folder.resolve()
    for name, found in _walk(root, leave_out, skip):
        path = Path(found.path)
        if found.is_symlink():
            check_link(name, path, root)
        mode = found.stat().st_mode
        if stat.S_ISDIR(mode):
            yield Entry(name, path, _FOLDER)
        elif stat.S_ISREG(mode):
            yield Entry(name, path, _EXECUTABLE if executable and mode & 0o111 else _FILE)
        else:
            raise UnfitFile(f"{name} is a link to what is neither a file nor a folder; put a file there")


def file_entry(path: Path) -> Entry:
    """A file that stands alone, by its own name."""
    return Entry(path.name, path, _FILE)


def copy_tree(source: Path, target: Path, *, executable: bool) -> None:
    """Copies those entries to `target`, a new or empty folder, with the modes that they are listed with.

    Raises UnfitFile as `entries_to_copy` does, and OSError.
    """
    target.mkdir(parents=True, exist_ok=True)
    folders = [target]
    for entry in entries_to_copy(source, executable=executable):
        copy = target / entry.name
        if entry.is_folder:
            copy.mkdir()
            folders.append(copy)
        else:
            _copy_file(entry, copy)
    for folder in reversed(folders):  # whatever the umask is; the times last, as filling a folder changes them
        folder.chmod(0o755)
        os.utime(folder, ns=(TIME_NS, TIME_NS))


def digest_tree(folder: Path) -> str:
    """The SHA-256 (hex) of a folder as it is. Raises UnfitFile as `entries_as_is` does."""
    return digest_of(entries_as_is(folder))


def digest_copy(path: Path, *, executable: bool) -> str:
    """The SHA-256 (hex) of what `copy_tree` takes of a folder; of a single file, such as a zip, by its own name."""
    if path.is_dir():
        return digest_of(entries_to_copy(path, executable=executable))
    return digest_of([file_entry(path)])


def digest_of(entries: Iterable[Entry]) -> str:
    """The SHA-256 (hex) over RULE and a line for each entry, sorted by name as bytes:

    `mode SP size SP sha256 NUL name NUL LF`, the mode in octal with the kind; a link's content is its target's text,
    and a folder has none, written as size 0 and `-`.
    """
    listed = list(entries)
    contents = several_at_once(_content, listed)
    lines = [
        (os.fsencode(entry.name), b"%o %d %s" % (entry.mode, size_bytes, digest.encode()))
        for entry, (size_bytes, digest) in zip(listed, contents, strict=True)
    ]
    whole = hashlib.sha256(b"palio-tree %d\n" % RULE)
    for name, facts in sorted(lines):
        whole.update(b"%s\0%s\0\n" % (facts, name))
    return whole.hexdigest()


def _content(entry: Entry) -> tuple[int, str]:
    if entry.is_folder:
        return 0, "-"
    if entry.is_link:
        target = os.fsencode(entry.path.readlink())
        return len(target), hashlib.sha256(target).hexdigest()
    return measure(entry.path)


def _walk(
    folder: Path, leave_out: Set[str] = frozenset(), skip: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Each entry with its name; through no link. Raises UnfitFile for what is no file, folder or link."""
    waiting = [("", str(folder))]
    while waiting:
        prefix, at = waiting.pop()
        with os.scandir(at) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name in leave_out:
                continue
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/", entry.path))
            if skip and skip(name):
                continue
            if stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) not in _KINDS:
                raise UnfitFile(f"{name} is neither a file nor a folder; remove it")
            yield name, entry


def _copy_file(entry: Entry, copy: Path) -> None:
    with entry.path.open("rb") as source, copy.open("xb") as target:
        copy_content(source.fileno(), target.fileno(), os.fstat(source.fileno()).st_size)
    copy.chmod(entry.permissions)
    os.utime(copy, ns=(TIME_NS, TIME_NS))
