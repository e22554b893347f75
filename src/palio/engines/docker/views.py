"""A job's read-only mounts, so that the job's list of mounts does not tell where they lie on the host.

A bind mount shows the path of its source in /proc/self/mountinfo. An overlay shows only the name that it was mounted
by: here a link in a neutral folder, which the engine follows when the job starts. Only root can make that folder, and
only on the engine's own machine; elsewhere, and where a file system takes no overlay, folders are bound and their paths
can be read.

All of it bears the job's name: the volumes by their label, the links by their folder.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

import docker
from docker.types import Mount

from palio.core.engine import Job
from palio.engines.docker.layers import JOB_LABEL

FOLDER = Path("/run/palio/views")
_EMPTY = FOLDER / "empty"  # an overlay needs a second layer
_TRIAL = FOLDER / "trial"
_TRIAL_S = 10.0


def can_hide() -> bool:
    """Whether this process can have an overlay mounted; to be asked by root on the engine's own machine."""
    try:
        for folder in (_EMPTY, _TRIAL):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return False
    return _can_be_laid_over(_TRIAL)


def make_views(client: docker.DockerClient, job: Job) -> list[Mount]:
    """The job's mounts, each through an overlay where that can be."""
    links = _links(job)
    links.mkdir(mode=0o755, parents=True, exist_ok=True)
    return [_view(client, job, number, links / str(number)) for number in range(len(job.mounts))]


def bound(job: Job) -> list[Mount]:
    return [_bound(job, number) for number in range(len(job.mounts))]


def remove_links(job: Job) -> None:
    """To be called when the job's volumes are gone. Unknown is fine."""
    shutil.rmtree(_links(job), ignore_errors=True)


def _links(job: Job) -> Path:
    return FOLDER / hashlib.sha256(job.name.encode()).hexdigest()[:16]


def _view(client: docker.DockerClient, job: Job, number: int, link: Path) -> Mount:
    link.unlink(missing_ok=True)  # of a process that was killed
    link.symlink_to(job.mounts[number].source.resolve())
    if not link.is_dir() or not _can_be_laid_over(link):
        return _bound(job, number)
    volume = f"{job.name}-in{number}"
    options = {"type": "overlay", "device": "overlay", "o": f"lowerdir={link}:{_EMPTY}"}
    client.api.create_volume(volume, driver="local", driver_opts=options, labels={JOB_LABEL: job.name})
    return Mount(job.mounts[number].target, volume, type="volume", read_only=True, no_copy=True)


def _bound(job: Job, number: int) -> Mount:
    mount = job.mounts[number]
    return Mount(mount.target, str(mount.source), type="bind", read_only=True)


def _can_be_laid_over(folder: Path) -> bool:
    """Tried in mounts of a process of its own, which leaves none."""
    options = f"ro,lowerdir={folder}:{_EMPTY}"
    command = ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, str(_EMPTY)]
    try:
        return subprocess.run(command, capture_output=True, timeout=_TRIAL_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
