"""The bubblewrap engine: runs jobs in sandboxes on this machine, without Docker or special privileges.

Covered: new user, mount, PID, IPC, network, UTS and cgroup namespaces; a read-only root with the system's programs,
this Python and the image's files, and none of the host's paths; a separate user for each running job, without groups,
capabilities, new privileges or further user namespaces (an ordinary user's jobs run one after another); a filter of
system calls; a new /tmp and /dev/shm in memory; read-only inputs; an in-memory file system of limited size for the
output; memory, processes and CPU limited by cgroups where this user may create them; wall-clock time; everything ends
together, whatever ends first. Builds run in a separate process with limits.

Not covered: faults of the kernel that sandboxes share with the host; files in /usr and in this Python's folders, which
jobs can read; memory where no cgroup is available, which is checked but not limited; an image's own system, because
every FROM is this Python, and of RUN only `pip install` is honored (environment.py).

All state is on disk: images/<name>/ and jobs/<name>/ in the state folder. The process that starts a job passes its lock
to the supervisor, which holds it as long as anything of the sandbox lives. So any process can find every job, and can
tell a running job from one whose supervisor was killed.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

from palio.core.engine import GRACE_S, Build, Collected, End, Guarantee, Job, JobResult, Limits, Work, environment
from palio.core.errors import PalioError
from palio.core.files.collect import collect_folder
from palio.core.files.log import LogWriter
from palio.core.plain_words import PlainWord, UnfitWordError
from palio.engines.bubblewrap import availability, cgroup, users
from palio.engines.bubblewrap.builder import build_task
from palio.engines.bubblewrap.images import find_built, load_image
from palio.engines.bubblewrap.launch import INSIDE_UID, package_root
from palio.engines.bubblewrap.layers import MountBlockedError, operations
from palio.engines.bubblewrap.limits import refuse_unavailable
from palio.engines.bubblewrap.processes import kill_process
from palio.engines.bubblewrap.sources import copy_source
from palio.engines.bubblewrap.startable import why_not_startable
from palio.engines.bubblewrap.supervisor import (
    COLLECTED,
    GROUPS,
    OUTPUT,
    RESULT,
    SANDBOX,
    SUPERVISOR,
    TASK,
    write_atomically,
)
from palio.engines.copies import copy_options, place_in_output

_LOCK, _ETC, _FAULTS = "lock", "etc", "supervisor.log"
_STOPPED_S = GRACE_S + 4
# The interpreter that reads this forks and detaches, so that it neither ends with its parent nor becomes its zombie.
# Only then does it import anything.
_SUPERVISE = """
import os, sys
if os.fork(): os._exit(0)
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from importlib import import_module
main = import_module(sys.argv[3]).main
main(Path(sys.argv[2]))
"""


class BubblewrapEngine:
    name = "bubblewrap"
    loads_images = False  # it runs programs on this machine's own system

    def __init__(self, state: Path | None = None, *, use_cgroups: bool = True) -> None:
        """`state` is the folder for images and jobs; by default in the user's cache folder.

        Without `use_cgroups`, limits are enforced as for a user who may not create any.
        """
        self._use_cgroups = use_cgroups
        self._state = (state or _default_state()).resolve()
        self._jobs, self._images = self._state / "jobs", self._state / "images"

    @property
    def runs_in_parallel(self) -> bool:
        return os.geteuid() == 0  # an ordinary user has only one uid

    def describe(self) -> str:
        bwrap = shutil.which("bwrap")
        return f"bubblewrap {'.'.join(map(str, availability.version(bwrap))) if bwrap else '(not installed)'}"

    def guarantees(self) -> tuple[Guarantee, ...]:
        return availability.guarantees(cgroup.available() if self._use_cgroups else frozenset())

    def has_image(self, name: str) -> None:
        """None: FROM always means this machine's Python."""

    def check(self, limits: Limits) -> None:
        refuse_unavailable(limits)

    def start(self, work: Work) -> None:
        with self._faults_named("starting", work):
            folder = self._folder(work)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _lock(folder) as lock:
                # The lock's holder is working on it, and a job that has started is never started again.
                if lock is None or (folder / RESULT).exists() or (folder / SANDBOX).exists():
                    return
                _end_orphans(folder)
                if isinstance(work, Build):
                    self._start_build(work, folder, lock)
                elif isinstance(work, Job):
                    self._start_job(work, folder, lock)

    def poll(self, work: Work) -> JobResult | None:
        with self._faults_named("watching", work):
            folder = self._folder(work)
            if not folder.is_dir():
                raise self._fault("watching", work, "it no longer exists")
            if result := self._result(work, folder):
                return result
            with _lock(folder) as lock:
                if lock is None:
                    return None
                if result := self._result(work, folder):  # written since
                    return result
                _end_orphans(folder)
            words = (folder / _FAULTS).read_text() if (folder / _FAULTS).exists() else ""
            reason = words.strip().rpartition("\n")[2] or "its supervisor was killed"
            raise self._fault("watching", work, reason)

    def stop(self, work: Work) -> None:
        with self._faults_named("stopping", work):
            folder = self._folder(work)
            asked, deadline = False, time.monotonic() + _STOPPED_S
            while folder.is_dir():
                with _lock(folder) as lock:
                    if lock is not None:
                        _end_orphans(folder)
                        return
                if not asked:
                    asked = _signal_supervisor(folder, SIGTERM)
                elif time.monotonic() > deadline:
                    _signal_supervisor(folder, SIGKILL)
                time.sleep(0.01)

    def collect(self, job: Job, destination: Path) -> Collected:
        """Copies what the supervisor has already collected, because the output file system ended with the job."""
        limits, folder = job.limits, self._folder(job)
        with self._faults_named("collecting the output of", job):
            found = json.loads((folder / COLLECTED).read_text()) if (folder / COLLECTED).exists() else {"refused": ()}
            (folder / OUTPUT).mkdir(exist_ok=True)
            taken = collect_folder(
                folder / OUTPUT, destination, max_bytes=limits.output_bytes, max_files=limits.output_files
            )
            return replace(taken, refused=tuple(found["refused"]))

    def remove(self, work: Work) -> None:
        self.stop(work)
        with self._faults_named("removing", work):
            folder = self._folder(work)
            if folder.is_dir():
                shutil.rmtree(folder)

    def job_names(self) -> frozenset[str]:
        return frozenset(path.name for path in self._jobs.iterdir()) if self._jobs.is_dir() else frozenset()

    # -- parts

    def _folder(self, work: Work) -> Path:
        if "/" in work.name or work.name in ("", ".", ".."):
            raise ValueError(f"{work.name!r} is not a valid job name")
        return self._jobs / work.name

    def _start_build(self, build: Build, folder: Path, lock: int) -> None:
        if (found := find_built(build, self._images)) is not None:
            write_atomically(folder / RESULT, found.as_json())
            return
        group = group_name(folder) if self._use_cgroups else None
        task = build_task(build, self._images, locks=str(users.locks(_default_state())), group=group)
        write_atomically(folder / TASK, task)
        _supervise(folder, lock, "builder")

    def _start_job(self, job: Job, folder: Path, lock: int) -> None:
        image, root = load_image(self._images, job.image)
        command = [*image.entrypoint, *(image.command if job.command is None else job.command)]
        _make_etc(folder / _ETC)
        if not command:
            _not_started(job, folder, "the image has no command, and none was given")
            return
        try:
            seen = operations(job, image, root=root, etc=folder / _ETC)
            command, workdir = list(map(PlainWord, command)), PlainWord(job.workdir or image.workdir)
        except (MountBlockedError, UnfitWordError) as error:
            _not_started(job, folder, str(error))
            return
        if fault := why_not_startable(job, command, image, root, workdir):
            _not_started(job, folder, str(fault))
            return
        task = {
            "bwrap": os.path.realpath(
                shutil.which("bwrap") or "bwrap"
            ),  # sandboxes cover /tmp, where a link may lead through
            "operations": seen,
            "copies": [
                *((str(copy.source), place_in_output(job, copy)) for copy in job.output_copies),
                *(
                    (str(copy.source), copy_source(number), copy_options(copy.source))
                    for number, copy in enumerate(job.own_copies)
                ),
            ],
            "writable": [copy.target for copy in job.own_copies],
            "hidden": [str(path) for path in (root, folder / _ETC, *(mount.source for mount in job.mounts))],
            "interpreter": image.interpreter.executable,
            "command": command,
            "workdir": workdir,
            "make_workdir": Path(workdir).is_relative_to("/tmp"),  # noqa: S108 - /tmp of the image is hidden
            "environment": {**image.environment, **environment(job)},
            "limits": asdict(job.limits),
            "log": str(job.log.absolute()),
            "image": str(root.parent),
            "locks": str(users.locks(_default_state())),
            "users": users.candidates(),
            "group": group_name(folder) if self._use_cgroups else None,
        }
        write_atomically(folder / TASK, task)
        _supervise(folder, lock, "supervisor")

    def _result(self, work: Work, folder: Path) -> JobResult | None:
        try:
            content: dict[str, Any] = json.loads((folder / RESULT).read_text())
        except FileNotFoundError:
            return None
        if "fault" in content:
            raise self._fault("running", work, content["fault"])
        return JobResult.from_json(content)

    def _fault(self, action: str, work: Work, reason: str) -> PalioError:
        return PalioError("engine-fault", engine=self.name, action=f"{action} {work.name}", reason=reason)

    @contextmanager
    def _faults_named(self, action: str, work: Work) -> Iterator[None]:
        try:
            yield
        except (OSError, subprocess.SubprocessError) as error:
            raise self._fault(action, work, str(error)) from error


def group_name(folder: Path) -> str:
    """The name of a job's cgroup, given the job's folder."""
    return f"palio-{sha256(os.fsencode(folder)).hexdigest()[:16]}"


def _default_state() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "palio" / "bubblewrap"


@contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """Yields a descriptor with the lock of a job's folder, or None if another process holds it.

    The lock lasts as long as any process has the descriptor, so it can be passed on to another process.
    """
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # being removed
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _supervise(folder: Path, lock: int, module: str) -> None:
    """Starts the module's `main` in a process that inherits only the lock."""
    with (folder / _FAULTS).open("w") as faults:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SUPERVISE, package_root(), folder, f"{__package__}.{module}"],
            stdin=subprocess.DEVNULL,
            stdout=faults,
            stderr=faults,
            pass_fds=[lock],
            start_new_session=True,
            env={},
            cwd="/",
            check=True,
        )


def _signal_supervisor(folder: Path, number: int) -> bool:
    """Whether the supervisor could be signaled; in its first moments it is unknown."""
    try:
        known = json.loads((folder / SUPERVISOR).read_text())
    except FileNotFoundError:
        return False
    return kill_process(known["pid"], known["started"], number)


def _end_orphans(folder: Path) -> None:
    """Ends whatever is left of a sandbox whose supervisor was killed, before the kernel would."""
    with suppress(FileNotFoundError):
        cgroup.remove(map(Path, json.loads((folder / GROUPS).read_text())))


def _not_started(job: Job, folder: Path, reason: str) -> None:
    with LogWriter(job.log) as log:
        log.write(f"{reason}\n".encode())
    now = datetime.now(UTC)
    write_atomically(folder / RESULT, JobResult(End.NOT_STARTED, None, now, now, detail=reason).as_json())


def _make_etc(folder: Path) -> None:
    """Creates the few files of /etc that libraries read, with a single user and only this host."""
    folder.mkdir(exist_ok=True)
    for name, text in {
        "passwd": f"palio:x:{INSIDE_UID}:{INSIDE_UID}::/tmp:/bin/sh\n",
        "group": f"palio:x:{INSIDE_UID}:\n",
        "hosts": "127.0.0.1 localhost palio\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
