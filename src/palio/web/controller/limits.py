"""Resource limits of a worker process, and how they are enforced.

Covered, by the kernel: CPU time between two signs of progress, address space, open files, no core dumps. A worker that
uses too much CPU time is ended by SIGPROF; one that gets no more memory exits with EXIT_MEMORY.

The limits are soft limits, which child processes would inherit: `lifted` suspends the memory limit while the sandbox of
a job starts, which has limits of its own.
"""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from palio.core.quantities import GIB

STEP_CPU_S = 180.0  # unpacking, hashing and copying 20 GiB takes less
MEMORY_BYTES = 4 * GIB  # of address space; an evaluation needs a few hundred MiB
OPEN_FILES = 1024
EXIT_MEMORY = 74


def keep_to_limits() -> None:
    _set(resource.RLIMIT_AS, MEMORY_BYTES)
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set(resource.RLIMIT_CORE, 0)


def allow_a_step() -> None:
    """Allow this much CPU time from now on, for all threads together. Child processes do not inherit it."""
    signal.setitimer(signal.ITIMER_PROF, STEP_CPU_S)


@contextmanager
def lifted() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _set(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
