"""Assigns each running job a user of its own, so that nothing the kernel counts by user is shared.

Root takes one from a range (engines.job_users) for each job. An ordinary user has only one, and so only one running
job.
"""

import fcntl
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

from palio.engines.job_users import job_uids

LOCKS = Path("/run/palio/job-users")  # root's
_WAIT_S = 0.02


def locks(own: Path) -> Path:
    """The folder of the locks: shared by all of root's engines, or the folder `own` of an ordinary user."""
    return LOCKS if os.geteuid() == 0 else own


def candidates() -> list[int]:
    """The users that a job may get."""
    return list(job_uids()) if os.geteuid() == 0 else [os.getuid()]


def take_user(folder: Path, uids: list[int], given_up: Callable[[], bool]) -> int | None:
    """Takes one of the uids for as long as this process and its children live. Returns None once `given_up`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while not given_up():
        if (
            uid := next((uid for uid in random.sample(uids, len(uids)) if _take(folder / f"user-{uid}", uid)), None)
        ) is not None:
            return uid
        time.sleep(_WAIT_S)
    return None


def _take(lock: Path, uid: int) -> bool:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    if os.geteuid() == 0 and not _is_idle(uid):
        os.close(descriptor)
        return False
    return True


def _is_idle(uid: int) -> bool:
    """Whether no process has this user according to the kernel; jobs of another engine may."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            # Threads count too, and a library may start one in each child, as OpenTelemetry does.
            own = len([*Path("/proc/self/task").iterdir()])
            resource.setrlimit(resource.RLIMIT_NPROC, (own + 1, own + 1))
            if os.fork() == 0:
                os._exit(0)
            os.wait()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
