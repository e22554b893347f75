"""Lists the contents of a folder or a zip in the same way. Programs and data may be either."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError
from palio.core.files.archive import open_archive
from palio.core.files.digest import UnfitFile
from palio.core.files.tree import entries_to_copy


@dataclass(frozen=True)
class Contents:
    """The relative names of the files, in order, and their first bytes on request.

    `changes` tells how a zip was read that has links or a name twice.
    """

    names: tuple[str, ...]
    head: Callable[[str, int], bytes]
    changes: tuple[str, ...] = ()


def contents_of(path: Path, within: Path | None = None) -> Contents:
    """The contents of a folder, a .zip or a single file, as an evaluation sees them.

    Links in a folder are followed to what is `within` a folder above, such as the bundle's. Raises UnfitFile if
    unreadable, and OSError.
    """
    if path.is_dir():
        entries = entries_to_copy(path, executable=False, within=within)
        return _of_files({entry.name: entry.path for entry in entries if not entry.is_folder})
    if is_zip(path):
        return _of_zip(path)
    return _of_files({path.name: path})


def is_zip(path: Path) -> bool:
    """Whether a file that a bundle names is unpacked before use. Any other file is used as it is."""
    return path.suffix.lower() == ".zip"


def _of_files(files: dict[str, Path]) -> Contents:
    def head(name: str, size_bytes: int) -> bytes:
        with files[name].open("rb") as file:
            return file.read(size_bytes)

    return Contents(tuple(sorted(files)), head)


def _of_zip(path: Path) -> Contents:
    try:
        with open_archive(path, lenient=True) as found:
            entries = {found.top + member.name: member.entry for member in found.members if not member.is_folder}
            changes = found.content.changes
    except PalioError as error:
        faults = "; ".join(error.failure.evidence)
        raise UnfitFile(f"it cannot be unpacked: {faults or error.failure.message.rstrip('.')}") from None
    opened: list[zipfile.ZipFile] = []  # once, because reading the list of entries takes long

    def head(name: str, size_bytes: int) -> bytes:
        try:
            if not opened:
                opened.append(zipfile.ZipFile(path))
            with opened[0].open(entries[name]) as file:
                return file.read(size_bytes)
        # RuntimeError: encrypted; NotImplementedError: unsupported compression
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UnfitFile(f"{name} cannot be read from the zip ({error}); create the zip again") from None

    return Contents(tuple(sorted(entries)), head, changes)
