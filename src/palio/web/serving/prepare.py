"""What is done once before the platform answers: folders, key, database, files of the pages, the admin's account.

All of it finds what is there already and leaves it alone, so that the first start and every other are one.
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

FREE_BYTES = 100 * MIB  # with less there is no room for a database that grows, nor for logs


def make_folders(folders: Folders) -> None:
    """Raises PalioError "target-unwritable" or "disk-full"."""
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
    """Brings everything to the state that this version needs; returns the link for an admin who was never there."""
    from palio.web.serving import admin, database, static_files

    folders: Folders = settings.FOLDERS
    with lock(folders.root / "prepare.lock", "another start", wait_s=120, for_living=True):
        machine_key()
        database.bring_to_date()
        if not pages:
            return None
        static_files.collect()
        return admin.link_if_nobody_is_in()
