"""Mounts a job's inputs read-only so that its list of mounts does not reveal their paths on the host.

A bind mount shows its source path in /proc/self/mountinfo. An overlay only shows the name it was mounted by: here a
link in a neutral folder, which the engine follows when the job starts. Only root can create that folder, and only on
the engine's own machine. Elsewhere, and on file systems that do not support overlays, folders are bind-mounted and
their paths are visible.

Everything carries the job's name: the volumes as a label, the links in their folder.
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
_PROBE = FOLDER / "probe"
_PROBE_S = 10.0


def can_hide() -> bool:
    """Whether this process can mount overlays. Called by root on the engine's own machine."""
    try:
        for folder in (_EMPTY, _PROBE):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return False
    return _can_be_laid_over(_PROBE)


def make_views(client: docker.DockerClient, job: Job) -> list[Mount]:
    """The job's mounts, through overlays where possible."""
    links = _links(job)
    links.mkdir(mode=0o755, parents=True, exist_ok=True)
    return [_view(client, job, number, links / str(number)) for number in range(len(job.mounts))]


def bind_mounts(job: Job) -> list[Mount]:
    return [_bind_mount(job, number) for number in range(len(job.mounts))]


def remove_links(job: Job) -> None:
    """Called once the job's volumes are gone. Ignores unknown jobs."""
    shutil.rmtree(_links(job), ignore_errors=True)


def _links(job: Job) -> Path:
    return FOLDER / hashlib.sha256(job.name.encode()).hexdigest()[:16]


def _view(client: docker.DockerClient, job: Job, number: int, link: Path) -> Mount:
    link.unlink(missing_ok=True)  # left by a killed process
    link.symlink_to(job.mounts[number].source.resolve())
    if not link.is_dir() or not _can_be_laid_over(link):
        return _bind_mount(job, number)
    volume = f"{job.name}-in{number}"
    options = {"type": "overlay", "device": "overlay", "o": f"lowerdir={link}:{_EMPTY}"}
    client.api.create_volume(volume, driver="local", driver_opts=options, labels={JOB_LABEL: job.name})
    return Mount(job.mounts[number].target, volume, type="volume", read_only=True, no_copy=True)


def _bind_mount(job: Job, number: int) -> Mount:
    mount = job.mounts[number]
    return Mount(mount.target, str(mount.source), type="bind", read_only=True)


def _can_be_laid_over(folder: Path) -> bool:
    """Tests an overlay in the mount namespace of a separate process, which leaves nothing behind."""
    options = f"ro,lowerdir={folder}:{_EMPTY}"
    command = ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, str(_EMPTY)]
    try:
        return subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
