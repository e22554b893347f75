"""The copies that a job may change (Job.copies): their size, and how they are written for the job's user.

Covered: a copy is limited to its own size and COPY_SPARE_BYTES, as a file system of its own. Folders are copied without
following links. Not covered: whether the source changes meanwhile; Palio's own are in a run folder and do not.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from palio.core.engine import COPY_SPARE_BYTES, COPY_SPARE_FILES, Job, Mount
from palio.core.files.tree import entries_as_is

_BLOCK_BYTES = 64 * 1024  # the largest page size in Linux; a file takes whole pages


def copy_options(folder: Path) -> str:
    """The size of the file system of a copy, as options of a tmpfs."""
    sizes = [0 if entry.is_folder else entry.path.lstat().st_size for entry in entries_as_is(folder)]
    pages = sum(-(-size // _BLOCK_BYTES) for size in sizes)
    return f"size={pages * _BLOCK_BYTES + COPY_SPARE_BYTES},nr_inodes={len(sizes) + COPY_SPARE_FILES}"


def place_in_output(job: Job, copy: Mount) -> str:
    """Where one of the job's `output_copies` begins, relative to the output; empty for the output itself."""
    return copy.target.removeprefix(job.output).strip("/")


def write_below(source: str, root: str, place: str, owner: int | None) -> None:
    """Copies the folder `source` to `place` below `root`, for the user `owner` if it is given."""
    for parent in _parents(place):
        os.makedirs(f"{root}/{parent}", exist_ok=True)  # noqa: PTH103
        _give(f"{root}/{parent}", owner)
    write_copy(source, f"{root}/{place}", owner)


def write_copy(source: str, target: str, owner: int | None) -> None:
    """Copies the folder `source` to `target`, for the user `owner` if it is given."""
    os.makedirs(target, exist_ok=True)  # noqa: PTH103 - the source may be below /proc
    _give(target, owner)
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        to = f"{target}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), to)  # noqa: PTH115, PTH211
        elif entry.is_dir():
            write_copy(entry.path, to, owner)
            continue
        else:
            shutil.copyfile(entry.path, to)
            shutil.copystat(entry.path, to)
        _give(to, owner)


def write_tar(folder: Path, prefix: str, owner: int, archive: IO[bytes]) -> None:
    """Writes the folder as a tar whose members belong to the user `owner` and are below `prefix`."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = owner
        member.uname = member.gname = ""
        return member

    with tarfile.open(fileobj=archive, mode="w") as written:
        for above in _parents(prefix):
            member = tarfile.TarInfo(above)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            written.addfile(owned(member))
        for entry in entries_as_is(folder):
            written.add(entry.path, f"{prefix}/{entry.name}".lstrip("/"), recursive=False, filter=owned)


def _parents(prefix: str) -> Iterator[str]:
    parts = prefix.split("/") if prefix else []
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _give(path: str, owner: int | None) -> None:
    if owner is not None:
        os.chown(path, owner, owner, follow_symlinks=False)
