"""Refuses limits that this machine cannot enforce, and sets the one that only newer kernels count per sandbox."""

import os
import resource

from palio.core.engine import Limits
from palio.core.errors import PalioError
from palio.core.quantities import size_text


def refuse_unavailable(limits: Limits) -> None:
    """Raises PalioError("limit-unavailable") for a limit that cannot be enforced at all."""
    cpus = len(os.sched_getaffinity(0))
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if limits.gpus:
        _refuse("gpus", f"{limits.gpus}", "it does not support GPUs", "Use the Docker engine, or set gpus to 0")
    if limits.cpus > cpus:
        _refuse("cpus", f"{limits.cpus:g}", f"Palio may use {cpus} here", "Use a machine with more CPUs, or lower it")
    if limits.memory_bytes > memory_bytes:
        has = f"it has {size_text(memory_bytes)}"
        _refuse("memory", size_text(limits.memory_bytes), has, "Use a machine with more memory, or lower it")


def _refuse(setting: str, value: str, reason: str, next_step: str) -> None:
    raise PalioError(
        "limit-unavailable",
        setting=f"palio.limits.predict.{setting}",
        value=value,
        engine="bubblewrap",
        reason=reason,
        next_step=f"{next_step} in competition.yaml.",
    )


def limit_processes(first: int, pids: int, user: int) -> None:
    """Makes the kernel count a sandbox's processes, given its first: RLIMIT_NPROC, where that is counted per namespace.

    Called once the sandbox exists: if set earlier, it would count all processes of the user.
    """
    if not counts_by_namespace():
        return
    if os.geteuid() != 0:
        _set_processes(first, pids)
        return
    # A process may set limits of others with the same user, which root without CAP_SYS_RESOURCE may not.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            _set_processes(first, pids)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise OSError("the number of processes could not be limited")


def _set_processes(first: int, pids: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = pids + 1 if hard == resource.RLIM_INFINITY else min(pids + 1, hard)  # one is bubblewrap's
    resource.prlimit(first, resource.RLIMIT_NPROC, (most, most))


def counts_by_namespace() -> bool:
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor.split("-")[0])) >= (5, 14)
