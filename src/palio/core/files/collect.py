"""Collects a job's output folder: regular files with plain names, and nothing that points elsewhere.

Covered: links of both kinds, pipes, sockets and devices are refused by inspecting the open descriptor, never only the
name; no source path is resolved twice; names that could deceive a reader or program (control characters, invalid UTF-8,
`..`) are refused; bytes, files, folders and depth are limited while copying, so that a hostile folder costs no more
than an honest one. Copies are new files of mode 0644 in folders of mode 0755. Not covered: the content of files. A
source that is still being written gives some mixture of old and new.
"""

import os
import shutil
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from palio.core.engine import Collected
from palio.core.quantities import MIB, size_text

MAX_DEPTH = 32
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024  # so that a copy fits below any of our folders
MAX_REFUSALS = 100  # a longer list would only fill the report

# Characters that move the cursor, end a line or change the writing direction.
_DECEPTIVE = {*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _DECEPTIVE}

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_TAR_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    b"s": "a socket",  # as the keeper of the engine `kubernetes` records it
}

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def collect_folder(source: Path | int, destination: Path, *, max_bytes: int, max_files: int) -> Collected:
    """Copies the regular files below `source`, a folder or its descriptor, to `destination`, created if needed."""
    with _intake(destination, max_bytes, max_files) as intake:
        _take_tree(source, intake)
    return intake.collected()


def collect_tar(stream: IO[bytes], destination: Path, *, prefix: str, max_bytes: int, max_files: int) -> Collected:
    """Like `collect_folder`, from a tar stream whose members are all below the folder `prefix`."""
    with (
        _intake(destination, max_bytes, max_files) as intake,
        tarfile.open(fileobj=stream, mode="r|*", encoding="utf-8") as archive,
    ):
        for member in archive:
            _take_member(archive, member, prefix, intake)
    return intake.collected()


def printable(name: str) -> str:
    """An external name made fit to print: one line, no control characters, at most 200 characters."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace").translate(_ESCAPES)
    return text if len(text) <= 200 else f"{text[:199]}…"


def name_refusal(parts: Sequence[str]) -> str | None:
    """Why a path of these components is refused, or None."""
    if len(parts) > MAX_DEPTH:
        return f"more than {MAX_DEPTH} levels deep"
    if len(os.fsencode("/".join(parts))) > MAX_PATH_BYTES:
        return f"a path longer than {MAX_PATH_BYTES:,} bytes"
    for part in parts:
        if part in ("", ".", ".."):
            return "not a plain path"
        if len(os.fsencode(part)) > MAX_NAME_BYTES:
            return f"a name longer than {MAX_NAME_BYTES} bytes"
        if any(0xD800 <= ord(character) <= 0xDFFF for character in part):
            return "a name that is not valid UTF-8"
        if not _DECEPTIVE.isdisjoint(map(ord, part)):
            return "a name with control characters"
    return None


class _FullError(Exception):
    """A limit is reached; the rest is skipped."""


class _Intake:
    """Keeps count of what was taken, and enforces the limits."""

    def __init__(self, destination: int, max_bytes: int, max_files: int) -> None:
        self.destination = destination
        self.max_bytes, self.max_files = max_bytes, max_files
        self.files: list[str] = []
        self.refused: list[str] = []
        self.total_bytes = 0
        self.folders: set[str] = {""}
        self.folders_seen = 0

    def collected(self) -> Collected:
        return Collected(tuple(self.files), self.total_bytes, tuple(self.refused))

    def refuse(self, path: str, reason: str) -> None:
        self.refused.append(f"{printable(path)}: {reason}")
        if len(self.refused) >= MAX_REFUSALS:
            self.stop(f"{MAX_REFUSALS} entries were refused")

    def stop(self, reason: str) -> None:
        self.refused.append(f"the rest was skipped: {reason}")
        raise _FullError

    def see_folder(self) -> None:
        self.folders_seen += 1
        if self.folders_seen > self.max_files:
            self.stop(f"more than {self.max_files:,} folders")

    def create(self, path: str, size_bytes: int) -> int:
        """Creates the file `path` if the limits allow and returns its descriptor."""
        if len(self.files) >= self.max_files:
            self.stop(f"more than {self.max_files:,} files")
        if self.total_bytes + size_bytes > self.max_bytes:
            self.stop(f"{printable(path)} would exceed {size_text(self.max_bytes)}")
        self._make_folder(path.rpartition("/")[0])
        descriptor = os.open(path, _CREATE, 0o644, dir_fd=self.destination)
        os.fchmod(descriptor, 0o644)  # regardless of the umask
        self.files.append(path)
        self.total_bytes += size_bytes
        return descriptor

    def _make_folder(self, path: str) -> None:
        if path not in self.folders:
            self._make_folder(path.rpartition("/")[0])
            os.mkdir(path, dir_fd=self.destination)
            os.chmod(path, 0o755, dir_fd=self.destination)  # noqa: S103 - uniform, regardless of the umask
            self.folders.add(path)


@contextmanager
def _intake(destination: Path, max_bytes: int, max_files: int) -> Iterator[_Intake]:
    destination.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield _Intake(descriptor, max_bytes, max_files)
    except _FullError:
        pass
    finally:
        os.close(descriptor)


def _take_tree(source: Path | int, intake: _Intake) -> None:
    """Walks depth first, by name, with one open descriptor per level, so at most MAX_DEPTH."""
    path, parent = (".", source) if isinstance(source, int) else (source, None)
    top = os.open(path, _READ | os.O_DIRECTORY, dir_fd=parent)
    try:
        _take_folder(top, (), intake)
    finally:
        os.close(top)


def _take_folder(folder: int, parts: tuple[str, ...], intake: _Intake) -> None:
    with os.scandir(folder) as found:
        # This is enough to reach a limit; the rest of a million entries is not even listed.
        entries = list(islice(found, 2 * intake.max_files + MAX_REFUSALS + 1))
    for entry in sorted(entries, key=lambda entry: entry.name):
        inner = (*parts, entry.name)
        path = "/".join(inner)
        if reason := name_refusal(inner):
            intake.refuse(path, reason)
        elif entry.is_dir(follow_symlinks=False):
            intake.see_folder()
            try:
                descriptor = os.open(entry.name, _READ | os.O_DIRECTORY, dir_fd=folder)
            except OSError as error:
                intake.refuse(path, f"a folder that cannot be read ({error.strerror})")
                continue
            try:
                _take_folder(descriptor, inner, intake)
            finally:
                os.close(descriptor)
        elif entry.is_file(follow_symlinks=False):
            _take_file(folder, entry.name, path, intake)
        else:
            mode = entry.stat(follow_symlinks=False).st_mode
            intake.refuse(path, _KINDS.get(stat.S_IFMT(mode), "not a regular file"))


def _take_file(folder: int, name: str, path: str, intake: _Intake) -> None:
    try:
        source = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        intake.refuse(path, f"a file that cannot be read ({error.strerror})")
        return
    try:
        facts = os.fstat(source)
        if not stat.S_ISREG(facts.st_mode):
            intake.refuse(path, "not a regular file")
        elif facts.st_nlink != 1:
            intake.refuse(path, "a hard link")
        else:
            target = intake.create(path, facts.st_size)
            try:
                copy_content(source, target, facts.st_size)
            finally:
                os.close(target)
    finally:
        os.close(source)


def copy_content(source: int, target: int, size_bytes: int) -> None:
    """Copies at most `size_bytes` between descriptors, even if the source grows. Shares blocks if possible."""
    left = size_bytes
    try:
        while left and (copied := os.copy_file_range(source, target, left)):
            left -= copied
    except OSError:
        pass  # not supported between these file systems: read and write the rest
    while left and (block := os.read(source, min(left, MIB))):
        left -= len(block)
        while block:
            block = block[os.write(target, block) :]


def _take_member(archive: tarfile.TarFile, member: tarfile.TarInfo, prefix: str, intake: _Intake) -> None:
    top, *parts = member.name.removeprefix("./").split("/")
    if not parts and member.isdir() and top == prefix:
        return
    path = "/".join(parts)
    if top != prefix or not parts:
        intake.refuse(member.name, "not below the output folder")
    elif reason := name_refusal(parts):
        intake.refuse(path, reason)
    elif member.isdir():
        intake.see_folder()
    elif not member.isreg():
        intake.refuse(path, _TAR_KINDS.get(member.type, "not a regular file"))
    elif path in intake.folders or _is_taken(path, intake):
        intake.refuse(path, "named twice")
    else:
        content = archive.extractfile(member)
        assert content is not None  # noqa: S101 - a regular member has content
        with os.fdopen(intake.create(path, member.size), "wb") as target, content:
            shutil.copyfileobj(content, target, MIB)


def _is_taken(path: str, intake: _Intake) -> bool:
    try:
        os.stat(path, dir_fd=intake.destination, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True
    return True
