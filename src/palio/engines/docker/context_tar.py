"""A build's context as the tar that the engine is sent: what its digest covers, and nothing else of this machine.

Names, kinds, modes, contents and link targets are those of core.tree.entries_as_is. Owners and times are the same for
all, and each file is sent as a file, even if it has another name on this machine (hard links).
"""

import os
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

from palio.core.tree import TIME_NS, Entry, entries_as_is


def write_tar(context: Path, names: Collection[str], target: IO[bytes]) -> None:
    """Writes the entries of these names, of a folder only the folder itself. Raises UnfitFile."""
    wanted = frozenset(names)
    entries = sorted((entry for entry in entries_as_is(context) if entry.name in wanted), key=lambda entry: entry.name)
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            _add(archive, entry)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.name)
    member.mode, member.mtime = entry.permissions, TIME_NS // 10**9
    if entry.is_folder:
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif entry.is_link:
        member.type, member.linkname = tarfile.SYMTYPE, str(entry.path.readlink())
        archive.addfile(member)
    else:
        with entry.path.open("rb") as content:
            member.size = os.fstat(content.fileno()).st_size
            archive.addfile(member, content)
