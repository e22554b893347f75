"""Notices Git LFS pointers: small text files that stand for large ones until `git lfs pull` gets these.

Covered: files, folders and zips, also a zip inside a zip where it is read. Not covered: pointers of git-annex.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from palio.core.files.archive import Archive, open_archive
from palio.core.files.archive_entries import Member
from palio.core.files.tree import entries_to_copy
from palio.core.files.untrusted import UnreadableFileError, open_untrusted

_START = b"version https://git-lfs.github.com/spec/v1\n"
_SIZES = range(100, 1025)  # of a pointer, in bytes: the specification has less than 1,024, and two lines need 120


def lfs_pointers(path: Path, within: Path | None = None) -> list[str]:
    """The names of Git LFS pointers in a file, folder or zip, relative to it.

    Links in a folder are followed to what is `within` a folder above. Raises UnfitFile as `entries_to_copy` does,
    OSError, and the PalioErrors of a zip that cannot be read.
    """
    if path.is_dir():
        entries = entries_to_copy(path, executable=False, within=within)
        return list(pointers_among((entry.name, entry.path) for entry in entries if not entry.is_folder))
    if path.suffix.lower() == ".zip" and not _is_pointer(path):
        with open_archive(path, lenient=True) as archive:
            return list(pointers_in(archive))
    return list(pointers_among([(path.name, path)]))


def pointers_among(files: Iterable[tuple[str, Path]]) -> Iterator[str]:
    """The names of those files, given as (name, path), that are pointers."""
    return (name for name, path in files if _is_pointer(path))


def pointers_in(archive: Archive, members: Mapping[str, Member] | None = None) -> Iterator[str]:
    """The names of those members that are pointers. Without `members`, of all members by their own names."""
    named = {member.name: member for member in archive.members} if members is None else members
    for name, member in named.items():
        is_small_file = not member.is_folder and member.entry.file_size in _SIZES
        if is_small_file and archive.head(member, len(_START)) == _START:
            yield name


def _is_pointer(path: Path) -> bool:
    if path.stat().st_size not in _SIZES:
        return False
    try:
        with open_untrusted(path.resolve()) as file:
            return file.read(len(_START)) == _START
    except UnreadableFileError:
        return False
