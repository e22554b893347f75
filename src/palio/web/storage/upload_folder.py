"""The folder of one upload, uploads/<id>/, until the upload is a file in the store.

    file/<name>     the bytes that have arrived, from the first on: the size of this file is the offset
    lock            held by the one request that writes to it or makes a file of it

Covered: a process killed at any moment, and a disk that fills: what has arrived stays, and a part of the disk is left
to the database. Not covered: loss of power, after which the digest of the whole file shows the damage.
"""

import errno
import fcntl
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from django.conf import settings

from palio.core.errors import PalioError
from palio.core.files.staging import writing
from palio.core.quantities import MIB
from palio.web.models import Upload

BLOCK_BYTES = 256 * 1024  # of a chunk in memory at a time
NAME_BYTES = 200
_RESERVE_BYTES, _RESERVE_SHARE = 256 * MIB, 20  # left free: that much, or a twentieth of a small disk
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\]")


def plain_name(name: str) -> str:
    """What a browser or program calls the file, as the name of a file in a folder."""
    name = _UNFIT.sub("_", re.split(r"[/\\]", name)[-1]).strip().lstrip(".") or "submission"
    stem, dot, suffix = name.rpartition(".")
    while len(name.encode(errors="replace")) > NAME_BYTES:
        stem = stem[:-1]
        name = f"{stem}{dot}{suffix}" if stem else name[: NAME_BYTES // 4]
    return name.encode(errors="replace").decode()


@dataclass(frozen=True)
class UploadFolder:
    root: Path
    name: str

    @classmethod
    def of(cls, upload: Upload) -> Self:
        return cls(settings.FOLDERS.uploads / upload.id, upload.name)

    @classmethod
    def of_form(cls, name: str) -> Self:
        """For a file that came in one piece."""
        return cls(settings.FOLDERS.uploads / f"form-{secrets.token_hex(8)}", plain_name(name))

    @property
    def content(self) -> Path:
        return self.root / "file" / self.name

    @property
    def arrived_bytes(self) -> int:
        return self.content.stat().st_size if self.content.exists() else 0

    def make(self) -> None:
        self.content.parent.mkdir(parents=True, exist_ok=True)

    def touched(self) -> datetime | None:
        """When bytes last arrived; None if none ever did."""
        try:
            return datetime.fromtimestamp(self.content.stat().st_mtime, UTC)
        except OSError:
            return None

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Locks the folder, in all processes. Raises PalioError "upload-locked" while another request has it."""
        with room():
            self.make()
        with (self.root / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise PalioError("upload-locked") from None
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # at once: a child that is just being forked still has the file open

    @staticmethod
    def refuse_full(size_bytes: int) -> None:
        """Raises PalioError "storage-full" where so much cannot be taken without using the last of the disk."""
        disk = shutil.disk_usage(settings.FOLDERS.uploads)
        if disk.free - size_bytes < min(_RESERVE_BYTES, disk.total // _RESERVE_SHARE):
            raise PalioError("storage-full")


@contextmanager
def room() -> Iterator[None]:
    """Turns a disk that is full, or cannot be written, into a refusal that names no path of this machine."""
    try:
        with writing(settings.FOLDERS.uploads):
            yield
    except PalioError as error:
        if error.failure.code == "disk-full":
            raise PalioError("storage-full") from error
        if error.failure.code == "target-unwritable":
            raise PalioError("storage-unwritable") from error
        raise


def is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
