"""Submitted files and published bundles, stored by digest: written once, never changed.

A file appears under its digest as a whole or not at all, and an existing one is not written again. Not covered: a disk
that corrupts bytes; every reader that matters checks digests, and so does `palio verify`.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from palio.core.files.staging import writing
from palio.core.files.tree import copy_tree, digest_tree
from palio.web.config.data_folder import Folders


def file_path(folders: Folders, sha256: str) -> Path:
    return folders.store / sha256[:2] / sha256


def keep_file(folders: Folders, complete: Path, sha256: str) -> Path:
    """Move a complete file, whose digest the caller has checked, into the store."""
    place = file_path(folders, sha256)
    with writing(place):
        place.parent.mkdir(exist_ok=True)
        complete.chmod(0o444)
        complete.replace(place)
    return place


def remove_file(folders: Folders, sha256: str) -> None:
    file_path(folders, sha256).unlink(missing_ok=True)


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
