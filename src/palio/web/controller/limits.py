"""What a worker process may use, and how it is kept to that.

Covered, by the kernel: CPU time between two signs of progress, address space, open files, no core dumps. A worker that
uses too much CPU time is ended by SIGPROF; one that gets no more memory ends with EXIT_MEMORY.

The limits are soft ones, which whatever a worker starts would inherit: `lifted` takes that of memory away while a
job's sandbox is started, which has limits of its own.
"""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from palio.core.quantities import GIB

STEP_CPU_S = 180.0  # unpacking, hashing and copying 20 GiB takes less
MEMORY_BYTES = 4 * GIB  # of address space; a worker that evaluates uses a few hundred MiB of it
OPEN_FILES = 1024
EXIT_MEMORY = 74


def keep_to_limits() -> None:
    _set(resource.RLIMIT_AS, MEMORY_BYTES)
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set(resource.RLIMIT_CORE, 0)


def allow_a_step() -> None:
    """From now on, so much CPU time, of all threads together. Processes that it starts do not inherit that."""
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
