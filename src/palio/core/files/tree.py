"""Lists the entries of a folder, from which it is copied, sent to a builder and digested.

There are two lists of the same folder:

    entries_as_is      everything in it, with links as links and original modes: what a builder sees of a context
    entries_to_copy    what Palio copies of someone's folder for a job: without IGNORED_NAMES, links to files inside (in
                       a bundle also to files and folders elsewhere in it) as what they point to, 0755 for folders and
                       (in programs) executable files, else 0644

A digest covers the name, kind and mode of every entry, including empty folders; a file's bytes; a link's target; and
RULE, so that results of different rules never compare equal. The entries_as_is digest of a copy equals the
entries_to_copy digest of its source.

Not covered: times, owners and extended attributes. Builders and copies drop them or make them uniform.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from palio.core.files.collect import copy_content
from palio.core.files.digest import IGNORED_NAMES, MAX_LINKED, UnfitFile, check_link, link_target, measure
from palio.core.files.parallel import for_each_parallel

RULE = 2  # rule 1 was `digest_entries` over files only; increase with every change of what a digest covers
TIME_NS = 946_684_800 * 10**9  # 2000-01-01, the time of all copies and files in images
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
    """Yields everything below a folder, each folder before its contents. Raises UnfitFile for pipes, devices and
    sockets.
    """
    for name, found in _walk(folder):
        mode = found.stat(follow_symlinks=False).st_mode
        yield Entry(name, Path(found.path), _LINK if stat.S_ISLNK(mode) else mode)


def entries_to_copy(
    folder: Path,
    *,
    executable: bool,
    leave_out: Set[str] = IGNORED_NAMES,
    skip: Callable[[str], bool] | None = None,
    within: Path | None = None,
) -> Iterator[Entry]:
    """Yields what `copy_tree` copies of a folder. Files keep their execute bit if `executable`, which programs need.

    `leave_out`: names that are skipped with everything below. `skip`: tells whether to skip the entry at a relative
    path, but not what is below it. `within`: a folder above, such as a bundle's, in which links to files and folders
    are followed. Raises UnfitFile for a link that is broken or points outside (without `within`, also to a folder), and
    for pipes, devices and sockets.
    """
    root = folder.resolve()
    for name, found in _walk(root, leave_out, skip, within.resolve() if within else None):
        path = Path(found.path)
        if found.is_symlink() and not within:
            check_link(name, path, root)
        mode = found.stat().st_mode
        if stat.S_ISDIR(mode):
            yield Entry(name, path, _FOLDER)
        elif stat.S_ISREG(mode):
            yield Entry(name, path, _EXECUTABLE if executable and mode & 0o111 else _FILE)
        else:
            raise UnfitFile(f"{name} is a link to something that is neither a file nor a folder; put a file there")


def file_entry(path: Path) -> Entry:
    """A single file, by its own name."""
    return Entry(path.name, path, _FILE)


def copy_tree(source: Path, target: Path, *, executable: bool, within: Path | None = None) -> None:
    """Copies `entries_to_copy` to `target`, a new or empty folder, with their listed modes.

    Raises UnfitFile as `entries_to_copy` does, and OSError.
    """
    target.mkdir(parents=True, exist_ok=True)
    folders = [target]
    for entry in entries_to_copy(source, executable=executable, within=within):
        copy = target / entry.name
        if entry.is_folder:
            copy.mkdir()
            folders.append(copy)
        else:
            _copy_file(entry, copy)
    for folder in reversed(folders):  # regardless of the umask; times last, because filling a folder changes them
        folder.chmod(0o755)
        os.utime(folder, ns=(TIME_NS, TIME_NS))


def digest_tree(folder: Path) -> str:
    """The SHA-256 (hex) of a folder as it is. Raises UnfitFile as `entries_as_is` does."""
    return digest_of(entries_as_is(folder))


def digest_copy(path: Path, *, executable: bool, within: Path | None = None) -> str:
    """The SHA-256 (hex) of what `copy_tree` copies, or of a single file, such as a zip, by its name."""
    if path.is_dir():
        return digest_of(entries_to_copy(path, executable=executable, within=within))
    return digest_of([file_entry(path)])


def digest_of(entries: Iterable[Entry]) -> str:
    """The SHA-256 (hex) over RULE and one line per entry, sorted by name as bytes:

        mode SP size SP sha256 NUL name NUL LF

    The mode is octal and includes the kind. The content of a link is its target; a folder has none, written as size 0
    and `-`.
    """
    listed = list(entries)
    contents = for_each_parallel(_content, listed)
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
    folder: Path,
    leave_out: Set[str] = frozenset(),
    skip: Callable[[str], bool] | None = None,
    within: Path | None = None,
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields each entry with its name. Follows links only to what is `within` a folder.

    Raises UnfitFile for pipes, devices and sockets.
    """
    waiting: list[tuple[str, str, tuple[Path, ...]]] = [("", str(folder), ())]
    linked = 0
    while waiting:
        prefix, at, through = waiting.pop()  # `through`: the targets of the links on the way
        with os.scandir(at) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name in leave_out:
                continue
            name = prefix + entry.name
            linked += bool(through)
            if linked > MAX_LINKED:
                raise UnfitFile(f"{name} is one of more than {MAX_LINKED:,} files behind links; copy them instead")
            if within and entry.is_symlink():
                target = link_target(name, Path(entry.path), within)
                if target.is_dir():
                    if target in through or Path(at).resolve().is_relative_to(target):
                        raise UnfitFile(f"{name} is a link to a folder that contains the link; remove it")
                    waiting.append((f"{name}/", entry.path, (*through, target)))
            elif entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/", entry.path, through))
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
