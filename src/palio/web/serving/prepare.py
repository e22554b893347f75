"""Prepares the platform before it serves: folders, keys, database, static files, the admin account.

Each step keeps what already exists, so that the first start and every later one are the same.
"""

import shutil
from pathlib import Path

from django.conf import settings

from palio.core.errors import PalioError
from palio.core.files.staging import writing
from palio.core.quantities import MIB, size_text
from palio.core.receipt.key import machine_key
from palio.web.config.data_folder import Folders
from palio.web.storage.process_lock import lock

FREE_BYTES = 100 * MIB  # with less, a growing database and logs have no room


def make_folders(folders: Folders) -> None:
    """Create the data folders. Raises PalioError "target-unwritable" or "disk-full"."""
    with writing(folders.root):
        folders.make()
        (folders.root / ".writable").touch()
        (folders.root / ".writable").unlink()
    refuse_full_disk(folders.root)


def refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise PalioError("disk-full", path=folder, free=size_text(free), evidence=[f"needed: {size_text(FREE_BYTES)}"])


def prepare(*, pages: bool) -> str | None:
    """Update everything to this version; return a sign-in link if no admin has signed in yet."""
    from palio.web.serving import admin, database, static_files

    folders: Folders = settings.FOLDERS
    with lock(folders.root / "prepare.lock", "another start", wait_s=120, for_living=True):
        machine_key()
        database.bring_to_date()
        if not pages:
            return None
        static_files.collect()
        return admin.link_if_nobody_is_in()
