"""How `check_bundle` reads a bundle's data: from disk, or in the bundle's zip, where data folders need no unpacking.

Writing and removing thousands of files takes longer than reading them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from palio.core.bundle.contents import Contents, contents_of
from palio.core.bundle.read import NAME
from palio.core.bundle.values import Findings, Scalar, Value
from palio.core.bundle.yaml_source import MAX_BYTES, parse_bytes
from palio.core.files.archive import Archive
from palio.core.files.archive_entries import Member
from palio.core.files.digest import IGNORED_NAMES, UnfitFile
from palio.core.files.lfs import lfs_pointers, pointers_in

_DATA = ("input_data", "reference_data", "starting_kit", "public_data", "sample.input", "sample.expect")


class DataFiles(Protocol):
    """Lists data of a bundle that is there. Both raise UnfitFile, OSError and the PalioErrors of a zip."""

    def contents(self, path: Path) -> Contents: ...

    def pointers(self, path: Path) -> Sequence[str]:
        """The names of Git LFS pointers."""


class DataOnDisk:
    """Data of the bundle in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def contents(self, path: Path) -> Contents:
        return contents_of(path, self._root)

    def pointers(self, path: Path) -> Sequence[str]:
        return lfs_pointers(path, self._root)


class ZippedData(DataOnDisk):
    """Data of a bundle's zip that is unpacked to `root`, except files of the folders that are nothing but data."""

    def __init__(self, archive: Archive, root: Path) -> None:
        super().__init__(root)
        self._archive, self._unpacked = archive, root
        data, other = set[PurePosixPath](), set[PurePosixPath]()
        for field, written in _named(archive):
            is_data = any(field == name or field.endswith(f".{name}") for name in _DATA)
            (data if is_data else other).add(PurePosixPath(written))
        # a folder stands for the zip that a bundle names, and the other way round
        data |= {path.with_suffix("") for path in data if path.suffix.lower() == ".zip"}
        other |= {path.with_suffix("") for path in other if path.suffix.lower() == ".zip"}
        self._data = data
        self._left = [member for member in archive.members if _is_only_data(PurePosixPath(member.name), data, other)]

    @property
    def folders(self) -> Iterator[Path]:
        """The folders of which something is left, as competition.yaml names them."""
        names = {PurePosixPath(member.name) for member in self._left}
        above = {parent for name in names for parent in name.parents}
        return (self._unpacked / folder for folder in sorted(self._data & above))

    @property
    def left(self) -> Sequence[Member]:
        """The members that are not unpacked."""
        return self._left

    def contents(self, path: Path) -> Contents:
        files = self._files(path)
        if not files:
            return super().contents(path)

        def head(name: str, size_bytes: int) -> bytes:
            return self._archive.head(files[name], size_bytes)

        return Contents(tuple(sorted(files)), head)

    def pointers(self, path: Path) -> Sequence[str]:
        files = self._files(path)
        return list(pointers_in(self._archive, files)) if files else super().pointers(path)

    def _files(self, path: Path) -> dict[str, Member]:
        prefix = f"{path.relative_to(self._unpacked).as_posix()}/"
        below = {member.name.removeprefix(prefix): member for member in self._left if member.name.startswith(prefix)}
        return {name: member for name, member in below.items() if IGNORED_NAMES.isdisjoint(name.split("/"))}


def _is_only_data(name: PurePosixPath, data: set[PurePosixPath], other: set[PurePosixPath]) -> bool:
    above = set(name.parents)
    return not data.isdisjoint(above) and name not in data and other.isdisjoint({*above, name})


def _named(archive: Archive) -> Iterator[tuple[str, str]]:
    """Yields the texts in competition.yaml with their fields."""
    member = next((member for member in archive.members if member.name == NAME), None)
    document = parse_bytes(archive.head(member, MAX_BYTES + 1), Findings(NAME)) if member else None
    waiting: list[Value] = [document] if document else []
    while waiting:
        value = waiting.pop()
        if isinstance(value.content, Scalar):
            yield value.field, value.content.text.strip()
        else:
            waiting += value.content.values() if isinstance(value.content, dict) else value.content


def readable(files: DataFiles, path: Path) -> Contents | None:
    """Returns None if the contents cannot be read, which another check reports."""
    try:
        return files.contents(path)
    except (UnfitFile, OSError):
        return None
