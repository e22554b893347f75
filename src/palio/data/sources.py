"""Yields the small files of a folder or an archive as `(name, content)`.

Archives are read as streams and never unpacked to disk. Covered: links, devices and hostile names (only content is
used), members that claim to be or turn out to be large, archives that inflate endlessly.
"""

import gzip
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from palio.core.errors import PalioError
from palio.core.files.staging import reading
from palio.core.quantities import MIB, size_text

FILE_LIMIT_BYTES = MIB  # larger files are skipped: a MedNIST image has a few thousand bytes
ARCHIVE_LIMIT_BYTES = 512 * MIB  # inflated; MedNIST has about 100 MiB
_DAMAGE = (EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile)


def small_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yields each file of up to FILE_LIMIT_BYTES in a folder (recursively), a .tar, .tar.gz or .zip.

    Names are relative, with `/`. Raises `source-unreadable` if `source` is none of these, or damaged.
    """
    if source.is_dir():
        yield from _in_folder(source)
        return
    with reading(source):
        with source.open("rb") as file:
            start = file.read(512)
        try:
            if start[:2] == b"\x1f\x8b":
                with gzip.open(source) as stream:
                    yield from _in_tar(_Capped(source, stream))
            elif start[257:262] == b"ustar":
                with source.open("rb") as stream:
                    yield from _in_tar(_Capped(source, stream))
            elif start[:2] == b"PK":
                yield from _in_zip(source)
            else:
                raise _unreadable(source, "it is not a folder, .tar.gz or .zip archive")
        except _DAMAGE as error:
            raise _unreadable(source, f"the archive is damaged or truncated ({error})") from error


def files_below(folder: Path) -> list[Path]:
    """All files below `folder`, relative and sorted, except hidden ones and links to folders."""

    def stop(error: OSError) -> None:
        raise error

    with reading(folder):
        walk = list(os.walk(folder, onerror=stop))
    paths = (Path(at, name).relative_to(folder) for at, _, names in walk for name in names)
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.parts))


def _in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in files_below(folder):
        path = folder / name
        with reading(path):
            if not path.is_file() or path.stat().st_size > FILE_LIMIT_BYTES:
                continue
            content = path.read_bytes()
        yield name.as_posix(), content


def _in_tar(stream: "_Capped") -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]  # only read() is called
        for member in archive:
            if member.isreg() and member.size <= FILE_LIMIT_BYTES and (content := archive.extractfile(member)):
                yield member.name, content.read()


def _in_zip(source: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(source) as archive:
        inflated = 0
        for member in archive.infolist():
            if member.is_dir() or member.file_size > FILE_LIMIT_BYTES:
                continue
            inflated += member.file_size
            if inflated > ARCHIVE_LIMIT_BYTES:
                raise _endless(source)
            # Only for these two does Python inflate no more than requested.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
                raise _unreadable(source, f"{member.filename} is encrypted or uses an uncommon compression")
            with archive.open(member) as file:
                yield member.filename, file.read(member.file_size)


class _Capped:
    """A stream that fails once it has returned more than an archive may contain."""

    def __init__(self, source: Path, stream: BinaryIO | gzip.GzipFile) -> None:
        self._source, self._stream, self._given = source, stream, 0

    def read(self, size: int) -> bytes:
        given = self._stream.read(size)
        self._given += len(given)
        if self._given > ARCHIVE_LIMIT_BYTES:
            raise _endless(self._source)
        return given


def _endless(source: Path) -> PalioError:
    return _unreadable(source, f"it inflates to more than {size_text(ARCHIVE_LIMIT_BYTES)}")


def _unreadable(source: Path, reason: str) -> PalioError:
    return PalioError("source-unreadable", path=source, reason=reason)
