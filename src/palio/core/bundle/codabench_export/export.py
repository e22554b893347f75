"""Writes a bundle as a zip in Codabench's format.

The zip is byte-identical for the same bundle on every machine: sorted entries, uniform times and modes, no compression.
"""

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from palio.core.bundle.codabench_export.document import document
from palio.core.bundle.codabench_export.files import NamedFiles
from palio.core.bundle.codabench_export.losses import Loss, Losses
from palio.core.bundle.model import Bundle
from palio.core.bundle.read import NAME
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile, digest_file
from palio.core.files.staging import reading, staged
from palio.core.files.tree import Entry

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip


@dataclass(frozen=True)
class Exported:
    """The zip, its SHA-256 in hex, and what Codabench cannot express or would ignore."""

    path: Path
    digest: str
    losses: tuple[Loss, ...]


def export_codabench(bundle: Bundle, target: Path) -> Exported:
    """Writes `target`, replaced only by a complete new zip.

    Raises PalioError "source-unreadable", "folder-unreadable" for a file that cannot be copied, "disk-full" or
    "target-unwritable".
    """
    losses = Losses()
    files = NamedFiles(bundle, losses)
    text = yaml.safe_dump(document(bundle, files, losses), sort_keys=False, allow_unicode=True, width=120)
    try:
        entries = files.entries()
    except UnfitFile as fault:
        raise PalioError("folder-unreadable", path=bundle.root, reason=str(fault), evidence=[]) from fault
    except OSError as error:
        raise PalioError("source-unreadable", path=error.filename, reason=error.strerror or error) from error
    with staged(target.absolute()) as (fresh,):
        _write(fresh, text.encode(), entries)
    return Exported(target, digest_file(target), losses.all)


def _write(target: Path, text: bytes, entries: Mapping[str, Entry]) -> None:
    filled = {str(parent) for name in entries for parent in PurePosixPath(name).parents}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_info(NAME, 0o100644), text)
        for name, entry in sorted(entries.items()):
            if entry.is_folder:
                if name not in filled:
                    archive.writestr(_info(f"{name}/", entry.mode), b"")
                continue
            info = _info(name, entry.mode)
            info.file_size = entry.path.stat().st_size  # so that large files get the large-file format
            with reading(entry.path), entry.path.open("rb") as source, archive.open(info, "w") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system, info.external_attr = 3, mode << 16  # as on Unix, on every machine
    return info
