"""The volume that jobs share with this machine: their inputs, and an output folder for each.

With a keeper in the job's pod, the folder is where that keeps the output, and is nothing that the job can write to.

An input that is on the volume already is mounted from where it is. Any other is copied, or linked where the file system
allows it, before the job is created.

Covered: processes killed at any point, because a copy gets its name only once it is complete. Not covered: a folder
that is not on the volume of the claim. The cluster then mounts empty folders.
"""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from palio.core.engine import Collected, Job, JobResult, Mount
from palio.core.files.collect import collect_folder, collect_tar
from palio.engines.copies import place_in_output, write_below
from palio.engines.kubernetes.keeper_program import (
    ARCHIVE,
    CPU_S,
    FIELDS,
    FINISH,
    PEAK_MEMORY_BYTES,
    PEAK_PIDS,
    SPACE,
    TOP,
    USAGE,
)
from palio.engines.kubernetes.manifest import CLAIM_FILE, object_name

_LAUNCHER, _KEPT, _POD, _BEGIN, _CLAIM = "launch", "kept", "pod", "begin", "claim"
_JOBS, _NAME, _OUTPUT, _REFUSAL = "palio-jobs", "name", "out", "refusal.json"


def inputs_of(job: Job) -> tuple[Mount, ...]:
    """What the job sees read-only: its own copies, too, because nothing would limit what it adds to them."""
    return (*job.mounts, *job.own_copies)


class Volume:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def inputs(self, job: Job) -> list[str]:
        """The paths of the job's mounts, in their order, relative to the volume."""
        paths = []
        for number, mount in enumerate(inputs_of(job)):
            source = mount.source.resolve()
            is_here = source.is_relative_to(self._root)
            paths.append(str((source if is_here else self._folder(job) / f"in-{number}").relative_to(self._root)))
        return paths

    def output(self, job: Job) -> Path:
        """Where a job without a keeper writes."""
        return self._folder(job) / _OUTPUT

    def begin_path(self, job: Job) -> str:
        """Relative to the volume: what a kept output starts with."""
        return str((self._folder(job) / _BEGIN).relative_to(self._root))

    def output_path(self, job: Job, *, is_kept: bool) -> str:
        """Relative to the volume, of the output or of where the keeper keeps it."""
        return str((self._folder(job) / (_KEPT if is_kept else _OUTPUT)).relative_to(self._root))

    def launcher_path(self, job: Job) -> str:
        """Relative to the volume."""
        return str((self._folder(job) / _LAUNCHER).relative_to(self._root))

    def claim_path(self, job: Job) -> str:
        """Relative to the volume: a folder that only the gate mounts, where the one pod that runs the job claims it."""
        return str((self._folder(job) / _CLAIM).relative_to(self._root))

    def is_first_pod(self, job: Job, uid: str) -> bool:
        """Whether no other pod ran the job's program, as far as Palio knows. A gate makes sure of it."""
        file = self._folder(job) / _POD
        if not file.exists():
            half = file.with_suffix(".half")
            half.write_text(uid)
            half.rename(file)
        return file.read_text() == uid

    def has_run(self, job: Job) -> bool:
        """Whether a pod ran the job's program, as far as Palio knows, or claimed it, so that no other will."""
        return any((self._folder(job) / place).exists() for place in (_POD, f"{_CLAIM}/{CLAIM_FILE}"))

    def has_keeper(self, job: Job) -> bool:
        return (self._folder(job) / _KEPT).is_dir()

    def space(self, job: Job) -> os.statvfs_result | None:
        """Of the output's file system, as the keeper last told it: at the end, and if a limit was exceeded before."""
        try:
            told = json.loads((self._folder(job) / _KEPT / SPACE).read_text())
            return os.statvfs_result([int(told[name]) for name in FIELDS])
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # not yet, or being written
            return None

    def usage(self, job: Job) -> Mapping[str, float]:
        """What the job used by the kernel's counters, as fields of JobResult, as far as the keeper saw it."""
        try:
            told = json.loads((self._folder(job) / _KEPT / SPACE).read_text())[USAGE]
            found = {name: told[name] for name in (PEAK_MEMORY_BYTES, PEAK_PIDS, CPU_S) if name in told}
            return {name: float(value) if name == CPU_S else int(value) for name, value in found.items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}

    def finish(self, job: Job) -> None:
        """Has the keeper write the output of a job whose program is over."""
        (self._folder(job) / _KEPT / FINISH).write_text("now")

    def has_archive(self, job: Job) -> bool:
        return (self._folder(job) / _KEPT / ARCHIVE).is_file()

    def collect(self, job: Job, destination: Path) -> Collected:
        """Copies the output. Raises OSError if the keeper has not kept it."""
        limits = {"max_bytes": job.limits.output_bytes, "max_files": job.limits.output_files}
        if not self.has_keeper(job):
            return collect_folder(self.output(job), destination, **limits)
        with (self._folder(job) / _KEPT / ARCHIVE).open("rb") as archive:
            return collect_tar(archive, destination, prefix=TOP, **limits)

    def prepare(self, job: Job, uid: int, *, launcher: bytes | None, is_kept: bool) -> None:
        """Copies inputs and the launcher, and makes the output folder for the user."""
        folder = self._folder(job)
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        (folder / _NAME).write_text(job.name)
        for mount, path in zip(inputs_of(job), self.inputs(job), strict=True):
            if not (self._root / path).exists():
                _copy(mount.source.resolve(), self._root / path)
        if launcher:
            (folder / _LAUNCHER).write_bytes(launcher)
            (folder / _LAUNCHER).chmod(0o755)
        output = self._make(folder / (_KEPT if is_kept else _OUTPUT), uid)
        if is_kept:
            self._make(folder / _CLAIM, uid)
            for name in (SPACE, FINISH):
                (output / name).touch()
                os.chown(output / name, uid, uid)
        if job.output_copies:
            begin = self._make(folder / _BEGIN, uid) if is_kept else output
            for copy in job.output_copies:
                write_below(str(copy.source), str(begin), place_in_output(job, copy), uid)

    def _make(self, folder: Path, uid: int) -> Path:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, uid, uid)
        return folder

    def refuse(self, job: Job, result: JobResult) -> None:
        """Records the result of a job that is never created."""
        self._folder(job).mkdir(mode=0o711, parents=True, exist_ok=True)
        (self._folder(job) / _NAME).write_text(job.name)
        half = self._folder(job) / f"{_REFUSAL}.half"
        half.write_text(json.dumps(result.as_json()))
        half.rename(self._folder(job) / _REFUSAL)

    def refusal(self, job: Job) -> JobResult | None:
        try:
            return JobResult.from_json(json.loads((self._folder(job) / _REFUSAL).read_text()))
        except FileNotFoundError:
            return None

    def remove(self, job: Job) -> None:
        folder = self._folder(job)
        if folder.is_dir():
            _remove_tree(folder)

    def job_names(self) -> frozenset[str]:
        """Of all jobs that have a folder."""
        names = set()
        for file in (self._root / _JOBS).glob(f"*/{_NAME}"):
            with suppress(FileNotFoundError):  # removed meanwhile
                names.add(file.read_text())
        return frozenset(names - {""})

    def _folder(self, job: Job) -> Path:
        return self._root / _JOBS / object_name(job.name)


def _copy(source: Path, target: Path) -> None:
    half = target.with_name(f"{target.name}.half")
    if half.is_dir():
        shutil.rmtree(half)
    if source.is_dir():
        shutil.copytree(source, half, symlinks=True, copy_function=_link_or_copy)
    else:
        half.unlink(missing_ok=True)
        _link_or_copy(str(source), str(half))
    half.rename(target)


def _link_or_copy(source: str, target: str) -> None:
    """Jobs see inputs read-only, so they may share files with what they come from."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove_tree(folder: Path) -> None:
    """Of any depth: a folder that is deeper than paths may be long is moved up before it is emptied."""
    left, number = [folder], 0
    while left:
        current = left.pop()
        with os.scandir(current) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    number += 1
                    lifted = folder.with_name(f"{folder.name}.left-{number}")
                    os.rename(entry.path, lifted)  # noqa: PTH104 - names may be invalid UTF-8
                    left.append(lifted)
                else:
                    os.unlink(entry.path)  # noqa: PTH108
        current.rmdir()
