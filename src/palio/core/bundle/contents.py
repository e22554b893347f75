"""Lists the contents of a folder or a zip in the same way. Programs and data may be either."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.files.digest import IGNORED_NAMES, UnfitFile, files_below


@dataclass(frozen=True)
class Contents:
    """The relative names of the files, in order, and their first bytes on request."""

    names: tuple[str, ...]
    head: Callable[[str, int], bytes]


def contents_of(path: Path) -> Contents:
    """The contents of a folder, a .zip or a single file. Raises UnfitFile if unreadable, and OSError."""
    if path.is_dir():
        return _of_files(dict(files_below(path)))
    if path.suffix.lower() == ".zip":
        return _of_zip(path)
    return _of_files({path.name: path})


def _of_files(files: dict[str, Path]) -> Contents:
    def head(name: str, size_bytes: int) -> bytes:
        with files[name].open("rb") as file:
            return file.read(size_bytes)

    return Contents(tuple(sorted(files)), head)


def _of_zip(path: Path) -> Contents:
    def head(name: str, size_bytes: int) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                return file.read(size_bytes)
        # RuntimeError: encrypted; NotImplementedError: unsupported compression
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UnfitFile(f"{name} cannot be read from the zip ({error}); create the zip again") from None

    try:
        with zipfile.ZipFile(path) as archive:
            names = {name for name in archive.namelist() if not name.endswith("/")}
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise UnfitFile(f"it cannot be read as a zip ({error}); create it again") from None
    found = sorted(name for name in names if IGNORED_NAMES.isdisjoint(PurePosixPath(name).parts))
    return Contents(tuple(found), head)
