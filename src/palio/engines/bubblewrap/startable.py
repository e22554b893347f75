"""Checks whether the kernel can start a job's program as it will appear inside.

Links are not followed out of the image: for a path through a link, bubblewrap itself reports what it finds.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from palio.core.engine import Job
from palio.core.files.entry_point import HEAD_BYTES, StartFault, program_path, start_fault
from palio.engines.bubblewrap.image import Image
from palio.engines.bubblewrap.interpreter import LINKS, SYSTEM_FOLDERS


def why_not_startable(job: Job, command: Sequence[str], image: Image, root: Path, workdir: str) -> StartFault | None:
    """Why `command` cannot be started, if that can be determined. `root` contains the image's files."""
    named = program_path(command)
    if named is None:
        return None
    path = os.path.normpath(os.path.join(workdir, named))  # noqa: PTH118 - a path inside
    found = _source(job, root, path)
    if found is None or not stat.S_ISREG(found.lstat().st_mode):
        return None
    with found.open("rb") as file:
        head = file.read(HEAD_BYTES)
    permissions = stat.S_IMODE(found.lstat().st_mode)
    return start_fault(named, permissions, head, lambda other: _is_there(job, image, root, other))


def _source(job: Job, root: Path, path: str) -> Path | None:
    """The host path of what appears at `path`, if it is in the image or mounted and no link is on the way."""
    mounts = [mount for mount in (*job.mounts, *job.own_copies) if _is_within(path, mount.target)]
    mount = max(mounts, key=lambda mount: len(mount.target), default=None)
    at, below = (mount.source, path.removeprefix(mount.target)) if mount else (root, path)
    for part in below.strip("/").split("/"):
        at = at / part
        if at.is_symlink() or not at.exists():
            return None
    return at


def _is_there(job: Job, image: Image, root: Path, path: str) -> bool:
    """Whether an interpreter's absolute path may exist inside."""
    path = os.path.normpath(path)
    first = Path("/", path.split("/")[1])
    if first.is_symlink():  # /bin, which is /usr/bin on most systems
        path = os.path.normpath(f"{first.resolve()}/{path.removeprefix(str(first))}")
    shown = (*SYSTEM_FOLDERS, *image.interpreter.places)
    inside = [
        root / path.lstrip("/"),
        *(mount.source for mount in (*job.mounts, *job.own_copies) if _is_within(path, mount.target)),
    ]
    return (
        any(map(os.path.lexists, inside))
        or _is_within(path, LINKS)
        or (any(_is_within(path, folder) for folder in shown) and os.path.lexists(path))
    )


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
