"""Backups: all of a server's data in one file, made while it runs.

A tar archive with one folder, `palio-data`: first a snapshot of the database, then keys, bundles, submitted files,
unfinished uploads and run folders, and finally SHA256SUMS, so that `tar xf` and `sha256sum -c` work without Palio.
Submitted files are in it wherever the file store is. Because the database comes first, every file it names exists when
the files are read, except those that people delete in the meantime. Left out: static files, which are rebuilt, and
`.work/` of running attempts, which are evaluated again after a restore. A backup holds hidden data and keys: protect it
as you protect those.
"""

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any

from palio import __version__
from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading, staged
from palio.core.quantities import MIB, size_text
from palio.web.config.configuration import Configuration
from palio.web.config.data_folder import Folders
from palio.web.serving.database_copy import copy_sqlite
from palio.web.serving.terminal import say
from palio.web.storage.files import FileStore, Listed, open_store

FORMAT = "palio-backup 1"
TOP = "palio-data"
ABOUT, SUMS, DATABASE = "backup.json", "SHA256SUMS", "palio.sqlite3"
STORE = "store"
FOLDERS = ("keys", "bundles", STORE, "uploads", "runs")
COMPRESSIONS = {".tar": "", ".gz": "gz", ".tgz": "gz"}
WORK = ".work"
_SMALL_BYTES = 8 * MIB  # files up to this size are read at once, because those of a running attempt may be growing


def backup(file: Path, configuration: Configuration, *, as_json: bool) -> int:
    """Write `file` as a whole or not at all, replacing an existing one. Raises PalioError."""
    folders, compression = Folders(configuration.data), compression_of(file)
    folders.refuse_others()
    target, is_elsewhere = file.absolute(), bool(configuration.store_url)
    with staged(target) as (part,):
        os.close(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        )  # readable only by its owner, from the first byte
        copy = part.with_name(f".{part.name}.database")
        with reading(folders.root):
            if configuration.database_url:
                from palio.web.serving.database_conversion import copy_postgresql

                copy_postgresql(copy)
            else:
                copy_sqlite(folders.database, copy)
        with part.open("wb") as raw:
            with _Archive(_open(raw, compression)) as archive:
                archive.add_text(ABOUT, json.dumps(_about(), indent=2) + "\n")
                archive.add(copy, DATABASE)
                copy.unlink()
                for path in _files(folders.root, [name for name in FOLDERS if name != STORE or not is_elsewhere]):
                    archive.add(path, path.relative_to(folders.root).as_posix())
                if is_elsewhere:
                    store = open_store(configuration.store_url, folders)
                    for listed in store.listed():
                        archive.add_stored(store, listed)
                archive.add_sums()
            raw.flush()
            os.fsync(raw.fileno())
    size_bytes = target.stat().st_size
    if as_json:
        say(json.dumps({"file": str(target), "size_bytes": size_bytes, "files": archive.count, "gone": archive.gone}))
    else:
        say(f"{target}: {counted(archive.count, 'file')}, {size_text(size_bytes)}")
        if archive.gone:
            say(f"  {counted(archive.gone, 'file')} removed by people or the controller during the backup")
        say("  It holds hidden data and keys. To test it, restore it to another folder with palio restore.")
    return 0


def compression_of(file: Path) -> str:
    if file.suffix not in COMPRESSIONS:
        raise PalioError(
            "usage",
            problem=f"{file.name} does not end in .tar, .tar.gz or .tgz.",
            next_step="Name it .tar (fast; images hardly get smaller) or .tar.gz.",
        )
    return COMPRESSIONS[file.suffix]


def sum_line(digest: str, name: str) -> str:
    """A line as `sha256sum` writes it: a name with a backslash or newline is escaped and marked."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def _open(raw: IO[bytes], compression: str) -> tarfile.TarFile:
    if compression == "gz":
        return tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1)
    return tarfile.open(fileobj=raw, mode="w")


def _about() -> dict[str, object]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"format": FORMAT, "palio": __version__, "when": now, "database": DATABASE}


def _files(root: Path, names: Sequence[str]) -> Iterator[Path]:
    """All files to back up below these folders; hidden top-level entries are incomplete and left out."""
    for name in names:
        waiting = [root / name]
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except FileNotFoundError:
                continue
            for entry in entries:
                if entry.name == WORK or (entry.name.startswith(".") and folder.parent == root):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_symlink() or entry.is_file():
                    yield Path(entry.path)


class _Archive:
    """Adds files and records their digests in the same pass, so that both match."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._sums: list[str] = []
        self.count = 0
        self.gone = 0  # files that disappeared after their folder was listed

    def __enter__(self) -> "_Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def add_text(self, name: str, text: str) -> None:
        content = text.encode()
        self._add(self._info(name, len(content), 0o600, time.time()), io.BytesIO(content))

    def add(self, path: Path, name: str) -> None:
        try:
            if path.is_symlink():
                self._add_link(path, name)
                return
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read() if status.st_size <= _SMALL_BYTES else None
                size = status.st_size if content is None else len(content)
                info = self._info(name, size, status.st_mode & 0o777, status.st_mtime)
                self._add(info, file if content is None else io.BytesIO(content))
        except FileNotFoundError:
            self.gone += 1

    def add_stored(self, store: FileStore, listed: Listed) -> None:
        """A file of a store that is no folder. Raises PalioError like the store."""
        name = f"{STORE}/{listed.sha256[:2]}/{listed.sha256}"
        info = self._info(name, listed.size_bytes, 0o444, listed.changed.timestamp())
        blocks = store.blocks(listed.sha256)
        try:
            first = next(blocks, b"")
        except FileNotFoundError:
            self.gone += 1
            return
        self._add(info, io.BufferedReader(_Stream(chain([first], blocks)), MIB))

    def add_sums(self) -> None:
        content = "".join(self._sums).encode(errors="surrogateescape")
        self._tar.addfile(self._info(SUMS, len(content), 0o600, time.time()), io.BytesIO(content))

    def _add(self, info: tarfile.TarInfo, content: object) -> None:
        hashing = _Hashing(content)
        self._tar.addfile(info, hashing)  # type: ignore[arg-type]
        self._tar.members.clear()  # type: ignore[attr-defined]  # which nobody asks for, and there may be millions
        self._sums.append(sum_line(hashing.digest.hexdigest(), info.name.removeprefix(f"{TOP}/")))
        self.count += 1

    def _add_link(self, path: Path, name: str) -> None:
        info = self._info(name, 0, 0o777, path.lstat().st_mtime)
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)  # noqa: PTH115 - as it is written
        self._tar.addfile(info)

    @staticmethod
    def _info(name: str, size: int, mode: int, mtime: float) -> tarfile.TarInfo:
        info = tarfile.TarInfo(f"{TOP}/{name}")
        info.size, info.mode, info.mtime = size, mode, int(mtime)
        return info


class _Stream(io.RawIOBase):
    """Blocks as a file object to read from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        self._rest = self._rest or memoryview(next(self._blocks, b""))
        taken = min(len(target), len(self._rest))
        target[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken


class _Hashing:
    """A file object that digests what is read."""

    def __init__(self, source: object) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        content: bytes = self._source.read(size)  # type: ignore[attr-defined]
        self.digest.update(content)
        return content
