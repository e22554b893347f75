"""Submitted files and published bundles, stored by digest: written once, never changed.

A file appears under its digest as a whole or not at all, and an existing one is not written again. Submitted files are
in a folder, or in a bucket if `store_url` names one (see `object_store`); bundles are always folders, because
containers mount them. Not covered: a disk that corrupts bytes; every reader that matters checks digests, and so does
`palio verify`. A bucket's files are checked whenever they are read.

The folder does without obstore's own local store: a complete upload becomes a file of the store by a hard link, at once
and whatever its size, where obstore would copy it (`python -m benchmarks file-store`).
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from palio.core.files.staging import writing
from palio.core.files.tree import copy_tree, digest_tree
from palio.core.quantities import MIB
from palio.web.config.data_folder import Folders

DIGEST = re.compile(r"[0-9a-f]{64}")
BLOCK_BYTES = MIB
_PARTS, _PARTS_KEPT_S = ".parts", 24 * 3600.0  # copies that are being made; a killed process leaves them


@dataclass(frozen=True)
class Listed:
    """A file of the store: `changed` is when it was written, with a time zone."""

    sha256: str
    size_bytes: int
    changed: datetime


class FileStore(Protocol):
    """Submitted files by SHA-256, 64 hex digits. A store that is not a folder raises PalioError "store-unreachable" or
    "store-refused" from every method, and "store-damaged" from those that read.
    """

    @property
    def address(self) -> str:
        """Where it is, for people; without credentials."""

    def has(self, sha256: str) -> bool: ...

    def keep(self, complete: Path, sha256: str) -> None:
        """Store a complete file, whose digest the caller has checked, unless it is stored already. The file becomes
        read-only and stays where it is.
        """

    def remove(self, sha256: str) -> None:
        """Does nothing if it is not stored."""

    def blocks(self, sha256: str) -> Iterator[bytes]:
        """Its content. Raises FileNotFoundError if it is not stored."""

    def local(self, sha256: str, folder: Path) -> Path:
        """The path of a local file with its content: in `folder`, if it had to be fetched. `folder` need not exist.

        Raises FileNotFoundError if it is not stored.
        """

    def listed(self) -> Iterator[Listed]:
        """All files, in any order."""

    def check(self) -> None:
        """Try to write, read and delete. Raises PalioError if anything of that is impossible."""


def open_store(url: str, folders: Folders) -> FileStore:
    """The store at `url`, or the folder of the data folder if it is empty. Does not connect, and imports no Django.

    Raises PalioError "package-missing".
    """
    if not url:
        return FolderStore(folders)
    from palio.web.storage.object_store import ObjectStore

    return ObjectStore(url)


def current_store() -> FileStore:
    """The store of the settings."""
    from django.conf import settings

    return _opened(settings.CONFIGURATION.store_url, settings.FOLDERS)


_opened = cache(open_store)


class FolderStore:
    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    @property
    def address(self) -> str:
        return str(self._folders.store)

    def has(self, sha256: str) -> bool:
        return file_path(self._folders, sha256).is_file()

    def keep(self, complete: Path, sha256: str) -> None:
        """A link, so that a process killed before it is recorded leaves the upload as it was."""
        place = file_path(self._folders, sha256)
        with writing(place):
            place.parent.mkdir(exist_ok=True)
            complete.chmod(0o444)
            with suppress(FileExistsError):
                try:
                    os.link(complete, place)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    self._copy(complete, place)  # the uploads are on another file system

    def remove(self, sha256: str) -> None:
        file_path(self._folders, sha256).unlink(missing_ok=True)

    def blocks(self, sha256: str) -> Iterator[bytes]:
        with file_path(self._folders, sha256).open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def local(self, sha256: str, folder: Path) -> Path:  # noqa: ARG002 - it need not be fetched
        path = file_path(self._folders, sha256)
        path.stat()
        return path

    def listed(self) -> Iterator[Listed]:
        for part in self._parts.glob("*"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > _PARTS_KEPT_S:
                    part.unlink()
        for path in self._folders.store.glob("[0-9a-f][0-9a-f]/*"):
            if DIGEST.fullmatch(path.name):
                with suppress(FileNotFoundError):
                    status = path.stat()
                    # The inode's time, as a link does not change that of the content.
                    yield Listed(path.name, status.st_size, datetime.fromtimestamp(status.st_ctime, UTC))

    def check(self) -> None:
        with writing(self._folders.store):
            trial = self._folders.store / f".{secrets.token_hex(8)}"
            trial.touch()
            trial.unlink()

    @property
    def _parts(self) -> Path:
        return self._folders.store / _PARTS

    def _copy(self, complete: Path, place: Path) -> None:
        self._parts.mkdir(exist_ok=True)
        part = self._parts / secrets.token_hex(8)
        try:
            shutil.copyfile(complete, part)
            part.chmod(0o444)
            os.link(part, place)
        finally:
            part.unlink(missing_ok=True)


def file_path(folders: Folders, sha256: str) -> Path:
    """Where the folder keeps a file."""
    return folders.store / sha256[:2] / sha256


def bundle_path(folders: Folders, digest: str) -> Path:
    return folders.bundles / digest


def keep_bundle(folders: Folders, source: Path) -> str:
    """Copy a bundle's folder into the store; return the digest of the copy, which is its name there.

    Raises UnfitFile as `copy_tree` does.
    """
    part = folders.bundles / f".{secrets.token_hex(8)}"
    with writing(folders.bundles):
        try:
            copy_tree(source, part, executable=True, within=source)
            digest = digest_tree(part)
            with suppress(OSError):  # it already exists
                os.rename(part, bundle_path(folders, digest))  # noqa: PTH104 - which a folder with files withstands
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return digest


@contextmanager
def store_changing(folders: Folders) -> Iterator[None]:
    """Lock the store across processes: a file being removed must not be taken for an existing one."""
    with (folders.store / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
