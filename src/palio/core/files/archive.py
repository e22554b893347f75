"""Untrusted zip archives: inspected before anything is written, and unpacked without trusting what they claim.

Covered: absolute paths and `..`, links and other special entries, encryption, compression that Python cannot read,
duplicate names and names that differ only in case, too many entries, too much content (no entry unpacks to more than it
claims), names that no file system should hold. Accepted with a note: files that macOS and Windows add (`__MACOSX`,
`.DS_Store`, and AppleDouble files `._NAME`, known by their content; skipped), one extra top folder (removed),
back-slashes in names, and on request a zip that holds nothing but another zip; of organizers (`lenient`) also links and
names that are there twice (archive_entries.py). Not covered: other zips inside the zip; they stay files.
"""

import errno
import io
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn, cast

from palio.core.errors import PalioError, counted
from palio.core.files.archive_entries import MAX_LINK_BYTES, Member, TooManyLinkedError, followed, last_of_each_name
from palio.core.files.archive_formats import READABLE, described_start, method_name
from palio.core.files.archive_names import entry_fault, entry_name
from palio.core.quantities import GIB, MIB, size_text

MAX_ENTRIES = 100_000
MAX_BYTES = 20 * GIB
MAX_INNER_BYTES = GIB  # of a zip that is read inside another one
MAX_LIST_BYTES = 32 * MIB  # about 300 bytes per entry
_SHOWN = 5
_BLOCK_BYTES = MIB
LEFT_OUT = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db"})
APPLE_DOUBLE = b"\x00\x05\x16\x07"  # the first bytes of a file `._NAME` in which macOS keeps attributes of NAME
ZIP_ERRORS = (  # of zipfile, on damaged or odd archives
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
    RuntimeError,
)


@dataclass(frozen=True)
class Content:
    """The contents of a safe archive: file names (without an extra top folder) and notes for its author."""

    files: tuple[str, ...]
    notes: tuple[str, ...]
    top: str  # the extra top folder with its slash, or ""
    changes: tuple[str, ...] = ()  # those of the notes about links and about names that are there twice


class Archive:
    """An inspected archive that is open. Its methods raise PalioError "archive-invalid" where its bytes are broken."""

    def __init__(self, opened: "_Opened", content: Content, members: Sequence[Member]) -> None:
        self._opened = opened
        self.files, self.notes, self.top = content.files, content.notes, content.top
        self.content = content
        self.members = members

    @contextmanager
    def read(self, member: Member) -> Iterator[IO[bytes]]:
        """The content of a file. zipfile itself stops at the size that the entry claims, and checks its CRC."""
        with self._opened.errors(), self._opened.archive.open(member.entry) as file:
            yield file

    def head(self, member: Member, size_bytes: int) -> bytes:
        """At most the first bytes of a file."""
        with self.read(member) as file:
            return file.read(size_bytes)


@dataclass(frozen=True)
class _Opened:
    """A zip whose list of entries has been read; `name` is for messages."""

    archive: zipfile.ZipFile
    path: Path
    name: str

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns whatever broken bytes raise into a sentence."""
        with _errors(self.path, self.name):
            yield


class _Guarded(io.FileIO):
    """The archive's file, which refuses to read a directory that would exhaust memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        _refuse_long_list(size)
        return super().read(size)


class _GuardedInner:
    """The same for a zip inside a zip."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        _refuse_long_list(size)
        return self._file.read(size)


def _refuse_long_list(size: int | None) -> None:
    if size is not None and size > MAX_LIST_BYTES:
        raise zipfile.BadZipFile(f"its directory is larger than {size_text(MAX_LIST_BYTES)}")


@contextmanager
def open_archive(
    path: Path, name: str | None = None, max_bytes: int = MAX_BYTES, *, inner: bool = False, lenient: bool = False
) -> Iterator[Archive]:
    """Inspects an archive and keeps it open. With `inner`, opens the zip inside it if it holds nothing else.

    With `lenient`, for an organizer's archive, links inside it are followed, and the last of equal names counts.

    Raises PalioError "archive-invalid", "archive-encrypted", "archive-compression", or "archive-unsafe", which names
    each refused entry.
    """
    name = name or path.name
    with _zip_file(path, name) as opened:
        archive = _inspected(opened, max_bytes, lenient=lenient)
        nested = _only_zip(archive) if inner else None
        if nested is None:
            yield archive
            return
        if nested.entry.file_size > MAX_INNER_BYTES:
            raise PalioError("archive-nested", name=name, inner=_shown(nested.name))
        inside = f"{nested.name} in {name}"
        with archive.read(nested) as file, _zip_inside(file, path, inside) as opened_inside:
            found = _inspected(opened_inside, max_bytes, lenient=lenient)
            note = f"the only file in {name} is another zip, {_shown(nested.name)}, which was used instead"
            notes = (*archive.notes, note, *found.notes)
            yield Archive(opened_inside, Content(found.files, notes, found.top, found.content.changes), found.members)


def inspect_archive(
    path: Path, name: str | None = None, max_bytes: int = MAX_BYTES, *, lenient: bool = False
) -> Content:
    """Inspects an archive. Raises the errors of `open_archive`."""
    with open_archive(path, name, max_bytes, lenient=lenient) as archive:
        return archive.content


def unpack(
    path: Path,
    destination: Path,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    *,
    plain: bool = False,
    inner: bool = False,
    lenient: bool = False,
) -> Content:
    """Writes the archive's files and folders to the new folder `destination`.

    Modes are 0755 for folders and executable files, else 0644. With `plain`, no file is executable, and no empty
    folders are created. `inner` and `lenient` are those of `open_archive`.
    """
    with open_archive(path, name, max_bytes, inner=inner, lenient=lenient) as archive:
        write_members(archive, destination, plain=plain)
        return archive.content


def write_members(archive: Archive, destination: Path, *, plain: bool = False, left: Collection[Member] = ()) -> None:
    """Writes what `unpack` does, except the members that are `left` in the archive, which are read and verified."""
    left_names = {member.name for member in left}
    for member in archive.members:
        target = destination / member.name
        if member.name in left_names:
            _verify(archive, member)
        elif not member.is_folder:
            _make_folder(target.parent)
            _write(archive, member, target, plain=plain)
        elif not plain:
            _make_folder(target)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)  # regardless of the umask


def _verify(archive: Archive, member: Member) -> None:
    with archive.read(member) as source:
        while source.read(_BLOCK_BYTES):
            pass


def _write(archive: Archive, member: Member, target: Path, *, plain: bool) -> None:
    with archive.read(member) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, _BLOCK_BYTES)
    target.chmod(0o755 if member.is_executable and not plain else 0o644)


@contextmanager
def _zip_file(path: Path, name: str) -> Iterator[_Opened]:
    with _errors(path, name):
        file = _Guarded(path)
    with file:
        with _errors(path, name):
            archive = zipfile.ZipFile(file)
        with archive:
            yield _Opened(archive, path, name)


@contextmanager
def _zip_inside(file: IO[bytes], path: Path, name: str) -> Iterator[_Opened]:
    try:
        archive = zipfile.ZipFile(cast(IO[bytes], _GuardedInner(file)))
    except ZIP_ERRORS as error:
        raise PalioError("archive-invalid", name=name, reason=_words(error)) from error
    with archive:
        yield _Opened(archive, path, name)


@contextmanager
def _errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except ZIP_ERRORS as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault, not the archive's; EINVAL is an offset before the start of the file
        raise PalioError("archive-invalid", name=name, reason=_reason(path, error)) from error


def _inspected(opened: _Opened, max_bytes: int, *, lenient: bool) -> Archive:
    entries = opened.archive.infolist()
    if len(entries) > MAX_ENTRIES:
        _refuse(opened.name, [f"it has {len(entries):,} entries; at most {MAX_ENTRIES:,} are allowed"])
    named = [(name, entry) for entry in entries if not _is_left_out(opened, (name := entry_name(entry)).text, entry)]
    members = [Member(name.text, entry) for name, entry in named]
    _refuse_unreadable(opened.name, members)
    changes = []
    if lenient:
        members, repeated = last_of_each_name(members)
        try:
            members, linked = followed(members, lambda member: _target(opened, member), MAX_ENTRIES)
        except TooManyLinkedError:
            _refuse(opened.name, [f"it has more than {MAX_ENTRIES:,} entries behind its links"])
        changes = [*repeated, *linked]
    if faults := _faults(members, max_bytes):
        _refuse(opened.name, faults)
    files = [member.name for member in members if not member.is_folder]
    top = _extra_top_folder(files)
    notes = [_skipped(len(entries) - len(named))] if len(named) < len(entries) else []
    if top:
        notes.append(f"the extra top folder {_shown(top)} was removed")
    for odd in sorted({name.odd for name, _ in named} - {""}):
        example = next(name.text for name, _ in named if name.odd == odd)
        notes.append(f"{odd}, such as {_shown(example)}")
    notes += changes
    # Next to an extra top folder there are only empty ones.
    kept = [Member(member.name.removeprefix(top), member.entry) for member in members if member.name.startswith(top)]
    kept = [member for member in kept if member.name]
    names = sorted(member.name for member in kept if not member.is_folder)
    return Archive(opened, Content(tuple(names), tuple(notes), top, tuple(changes)), kept)


def _refuse(name: str, faults: list[str]) -> NoReturn:
    shown = faults[:_SHOWN] + ([f"and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else [])
    raise PalioError("archive-unsafe", name=name, count=counted(len(faults), "entry", "entries"), evidence=shown)


def _refuse_unreadable(name: str, members: Sequence[Member]) -> None:
    """Encryption and compression are no danger: the same files only have to be zipped in another way."""
    locked = [member.name for member in members if member.entry.flag_bits & 0x1]
    if locked:
        count = counted(len(locked), "entry needs", "entries need")
        raise PalioError("archive-encrypted", name=name, count=count, evidence=_listed(locked))
    odd = [member for member in members if member.entry.compress_type not in READABLE]
    if odd:
        method = odd[0].entry.compress_type
        files = [member.name for member in odd if member.entry.compress_type == method]
        facts = {"count": counted(len(files), "file is", "files are"), "method": method_name(method)}
        raise PalioError("archive-compression", name=name, **facts, evidence=_listed(files))


def _listed(names: list[str]) -> list[str]:
    more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return [_shown(name) for name in names[:_SHOWN]] + more


def _faults(members: Sequence[Member], max_bytes: int) -> list[str]:
    faults = [
        f"{_shown(member.name)}: {fault}" for member in members if (fault := entry_fault(member.entry, member.name))
    ]
    if (size := sum(member.entry.file_size for member in members)) > max_bytes:
        faults.append(f"all files: {size_text(size)} unpacked; at most {size_text(max_bytes)} is allowed")
    files = [member.name for member in members if not member.is_folder]  # a name may be empty here
    twice = [file for file, count in Counter(files).items() if count > 1]
    faults += [f"{_shown(file)}: appears more than once" for file in twice]
    folded = Counter(file.casefold() for file in set(files))
    collide = sorted(file for file in set(files) if folded[file.casefold()] > 1)
    faults += [f"{_shown(file)}: differs from another name only in case" for file in collide]
    folders = {member.name.rstrip("/") for member in members if member.is_folder}
    folders |= {str(parent) for name in (*files, *folders) for parent in PurePosixPath(name).parents}
    faults += [f"{_shown(file)}: is both a file and a folder" for file in files if file in folders]
    return faults


def _is_left_out(opened: _Opened, name: str, entry: zipfile.ZipInfo) -> bool:
    parts = name.split("/")
    if not LEFT_OUT.isdisjoint(parts):
        return True
    if not parts[-1].startswith("._") or entry.file_size < len(APPLE_DOUBLE):
        return False
    try:
        with opened.archive.open(entry) as file:
            return file.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE
    except ZIP_ERRORS:  # judged with all other entries
        return False


def _target(opened: _Opened, link: Member) -> str:
    if link.entry.file_size > MAX_LINK_BYTES:
        return ""
    with opened.errors(), opened.archive.open(link.entry) as file:
        return file.read(MAX_LINK_BYTES).decode(errors="replace")


def _skipped(count: int) -> str:
    were = "was" if count == 1 else "were"
    return f"{counted(count, 'entry', 'entries')} added by macOS or Windows {were} skipped"


def _only_zip(archive: Archive) -> Member | None:
    """The only file, if it is a zip by its name; formats such as .npz are zips too and stay as they are."""
    files = [member for member in archive.members if not member.is_folder]
    return files[0] if len(files) == 1 and files[0].name.lower().endswith(".zip") else None


def _extra_top_folder(files: list[str]) -> str:
    tops = {file.split("/", 1)[0] for file in files if "/" in file}
    if len(tops) == 1 and all("/" in file for file in files):
        return f"{tops.pop()}/"
    return ""


def _reason(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return "it is empty"
    with path.open("rb") as file:
        start = file.read(32)
    if isinstance(error, UnicodeDecodeError):
        return "it contains a name that is marked as UTF-8 but is not"
    if not start.startswith(b"PK"):
        what = described_start(start)
        return f"it is {what}" if what else "it does not begin like a zip"
    return _words(error)


def _words(error: Exception) -> str:
    if str(error) == "File is not a zip file":
        return "its list of contents is missing, which stands at the end, so it is probably incomplete"
    return str(error).strip().rstrip(".") or type(error).__name__


def _shown(name: str) -> str:
    text = name.encode("unicode_escape").decode() if not name.isprintable() else name
    return text if len(text) <= 80 else f"{text[:77]}…"
