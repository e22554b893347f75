"""When the lease of a controller expires, in memory that it shares with its workers. Does not import Django.

A worker is ended by the kernel (SIGALRM) when the lease has not been renewed in time: also one that is stuck, and one
that was paused together with its controller, before it executes anything. A thread sets its timer again from the
memory. Not covered: a virtual machine that is paused and whose clock does not notice.
"""

import mmap
import os
import signal
import struct
import threading
import time

LEASE_S = 15.0
_UNTIL = struct.Struct("d")
_LOOK_S = 0.5


def now() -> float:
    """Seconds since the machine was started, including those in which it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseClock:
    def __init__(self) -> None:
        self.descriptor = os.memfd_create("palio-lease")
        os.ftruncate(self.descriptor, mmap.PAGESIZE)
        self._memory = mmap.mmap(self.descriptor, mmap.PAGESIZE)
        self.set(float("inf"))

    def __del__(self) -> None:
        os.close(self.descriptor)

    def set(self, until: float) -> None:
        """`until`: a time of `now`."""
        _UNTIL.pack_into(self._memory, 0, until)


def end_with_lease(descriptor: int) -> None:
    """End this process when the lease expires that `descriptor` shows."""
    os.set_inheritable(descriptor, False)
    memory = mmap.mmap(descriptor, mmap.PAGESIZE, prot=mmap.PROT_READ)
    _set_timer(memory)
    threading.Thread(target=_keep_timer_set, args=(memory,), name="palio-lease", daemon=True).start()


def _keep_timer_set(memory: mmap.mmap) -> None:
    while True:
        time.sleep(_LOOK_S)
        _set_timer(memory)


def _set_timer(memory: mmap.mmap) -> None:
    (until,) = _UNTIL.unpack_from(memory, 0)
    left = until - now()
    signal.setitimer(signal.ITIMER_REAL, 0 if left == float("inf") else max(left, 1e-6))
