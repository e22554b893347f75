"""Disk usage of the data folder and free space. Measuring takes a while, so it is cached for some minutes."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_noop

from palio.web.config.data_folder import Folders
from palio.web.http.cache import cached

MINUTES = 5


@dataclass(frozen=True)
class Part:
    name: str
    holds: str
    size_bytes: int


@dataclass(frozen=True)
class Disk:
    parts: tuple[Part, ...]
    free_bytes: int
    total_bytes: int

    @property
    def used_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)


def disk() -> Disk:
    """For the whole platform."""
    return cached("desk-disk", int(time.time()) // (60 * MINUTES), _look)


def _look() -> Disk:
    folders = settings.FOLDERS
    parts = (
        *_store(folders),
        Part(gettext_noop("runs"), gettext_noop("run folders of all attempts"), size_below(folders.runs)),
        Part(gettext_noop("bundles"), gettext_noop("all versions of all challenges"), size_below(folders.bundles)),
        Part(gettext_noop("uploads"), gettext_noop("unfinished uploads"), size_below(folders.uploads)),
        Part(gettext_noop("database"), gettext_noop("the SQLite database"), _size_of_database(folders.database)),
    )
    usage = shutil.disk_usage(folders.root)
    return Disk(parts, usage.free, usage.total)


def _store(folders: Folders) -> tuple[Part, ...]:
    """Nothing if submitted files are elsewhere."""
    if settings.CONFIGURATION.store_url:
        return ()
    return (Part(gettext_noop("store"), gettext_noop("submitted files"), size_below(folders.store)),)


def size_below(folder: Path) -> int:
    """Total size of the files in a folder, in bytes; files that disappear or cannot be read are left out."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _size_of_database(path: Path) -> int:
    files = [path.with_name(f"{path.name}{suffix}") for suffix in ("", "-wal", "-shm")]
    return sum(file.stat().st_size for file in files if file.exists())
