"""Untrusted zip archives: inspected before anything is written, and unpacked without trusting what they claim.

Covered: absolute paths and `..`, links and other special entries, encryption, duplicate names and names that differ
only in case, too many entries, too much content (no entry unpacks to more than it claims), names that no file system
should hold. Accepted with a note: `__MACOSX` and `.DS_Store` (skipped), one extra top folder (removed). Not covered:
zips inside the zip; they stay files.
"""

import errno
import io
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.errors import PalioError, counted
from palio.core.quantities import GIB, MIB, size_text

MAX_ENTRIES = 100_000
MAX_BYTES = 20 * GIB
MAX_LIST_BYTES = 32 * MIB  # about 300 bytes per entry
MAX_NAME_BYTES = 255
MAX_DEPTH = 32
_SHOWN = 5
LEFT_OUT = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db"})
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Content:
    """The contents of a safe archive: file names (without an extra top folder) and notes for its author."""

    files: tuple[str, ...]
    notes: tuple[str, ...]
    top: str  # the extra top folder with its slash, or ""


class _Guarded(io.FileIO):
    """The archive's file, which refuses to read a directory that would exhaust memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_LIST_BYTES:
            raise zipfile.BadZipFile(f"its directory is larger than {size_text(MAX_LIST_BYTES)}")
        return super().read(size)


def inspect_archive(path: Path, name: str | None = None, max_bytes: int = MAX_BYTES) -> Content:
    """Inspects an archive. Raises PalioError "archive-invalid" or "archive-unsafe", which names each refused entry."""
    name = name or path.name
    try:
        with _Guarded(path) as file, zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not _is_left_out(entry.filename)]
            left_out = len(archive.infolist()) - len(entries)
    except _READ_ERRORS as error:
        raise PalioError("archive-invalid", name=name, reason=_reason(path, error)) from error
    faults = _faults(entries, max_bytes)
    if faults:
        shown = faults[:_SHOWN] + ([f"and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else [])
        raise PalioError("archive-unsafe", name=name, count=counted(len(faults), "entry", "entries"), evidence=shown)
    files = [entry.filename for entry in entries if not entry.is_dir()]
    top = _extra_top_folder(files)
    notes = [f"{left_out} entries added by macOS or Windows were skipped"] if left_out else []
    if top:
        notes.append(f"the extra top folder {top} was removed")
    return Content(tuple(sorted(file.removeprefix(top) for file in files)), tuple(notes), top)


def unpack(
    path: Path, destination: Path, name: str | None = None, max_bytes: int = MAX_BYTES, *, plain: bool = False
) -> Content:
    """Writes the archive's files and folders to the new folder `destination`.

    Modes are 0755 for folders and executable files, else 0644. With `plain`, no file is executable, and no empty
    folders are created.
    """
    name = name or path.name
    content = inspect_archive(path, name, max_bytes)
    try:
        with _Guarded(path) as file, zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if _is_left_out(entry.filename) or not entry.filename.startswith(content.top):
                    continue  # next to an extra top folder there are only empty ones
                target = destination / entry.filename.removeprefix(content.top)
                if not entry.is_dir():
                    _make_folder(target.parent)
                    _write(archive, entry, target, plain=plain)
                elif not plain:
                    _make_folder(target)
    except _READ_ERRORS as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault, not the archive's; EINVAL is an offset before the start of the file
        raise PalioError("archive-invalid", name=name, reason=_reason(path, error)) from error
    return content


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)  # regardless of the umask


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, *, plain: bool) -> None:
    with archive.open(entry) as source, target.open("wb") as copy:
        # zipfile itself stops at the size that the entry claims, and checks its CRC
        shutil.copyfileobj(source, copy, 1 << 20)
    executable = (entry.external_attr >> 16) & 0o111
    target.chmod(0o755 if executable and not plain else 0o644)


def _faults(entries: list[zipfile.ZipInfo], max_bytes: int) -> list[str]:
    if len(entries) > MAX_ENTRIES:
        return [f"it has {len(entries):,} entries; at most {MAX_ENTRIES:,} are allowed"]
    faults = [f"{_shown(entry.filename)}: {fault}" for entry in entries if (fault := _fault(entry))]
    if (size := sum(entry.file_size for entry in entries)) > max_bytes:
        faults.append(f"all files: {size_text(size)} unpacked; at most {size_text(max_bytes)} is allowed")
    files = [entry.filename for entry in entries if not entry.filename.endswith("/")]  # a name may be empty here
    twice = [file for file, count in Counter(files).items() if count > 1]
    faults += [f"{_shown(file)}: appears more than once" for file in twice]
    folded = Counter(file.casefold() for file in set(files))
    collide = sorted(file for file in set(files) if folded[file.casefold()] > 1)
    faults += [f"{_shown(file)}: differs from another name only in case" for file in collide]
    folders = {entry.filename.rstrip("/") for entry in entries if entry.filename.endswith("/")}
    folders |= {str(parent) for name in (*files, *folders) for parent in PurePosixPath(name).parents}
    faults += [f"{_shown(file)}: is both a file and a folder" for file in files if file in folders]
    return faults


def _fault(entry: zipfile.ZipInfo) -> str | None:
    name, mode = entry.filename, entry.external_attr >> 16
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":") or "\\" in name:
        return "an absolute or Windows path"
    if ".." in parts:
        return "leaves the folder (..)"
    if any(part in ("", ".") for part in parts):
        return "an empty part in its name"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in name):
        return "control characters in its name"
    if len(parts) > MAX_DEPTH or any(len(part.encode(errors="replace")) > MAX_NAME_BYTES for part in parts):
        return "nested too deeply, or a name that is too long"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
    if entry.flag_bits & 0x1:
        return "encrypted"
    return None


def _is_left_out(name: str) -> bool:
    return not LEFT_OUT.isdisjoint(name.split("/"))


def _extra_top_folder(files: list[str]) -> str:
    tops = {file.split("/", 1)[0] for file in files if "/" in file}
    if len(tops) == 1 and all("/" in file for file in files):
        return f"{tops.pop()}/"
    return ""


def _reason(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return "it is empty"
    with path.open("rb") as file:
        start = file.read(2)
    if isinstance(error, UnicodeDecodeError):
        return "it contains a name that is marked as UTF-8 but is not"
    return str(error).strip().rstrip(".") or type(error).__name__ if start == b"PK" else "it does not begin like a zip"


def _shown(name: str) -> str:
    text = name.encode("unicode_escape").decode() if not name.isprintable() else name
    return text if len(text) <= 80 else f"{text[:77]}…"
