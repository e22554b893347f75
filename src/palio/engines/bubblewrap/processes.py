"""A sandbox's processes as seen from outside: identifying them, measuring their memory, ending them.

A sandbox has its own PID namespace, whose first process is known here by its outside PID. All others are its
descendants; when it dies, the kernel ends all of them first.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

_INODE_BYTES = 1024  # memory per in-memory file besides its content


def start_time(pid: int) -> str | None:
    """When the process started, in ticks since boot; with the PID, this identifies a process forever. None if it is
    gone.
    """
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - read often
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def children(pid: int, thread: int | None = None) -> list[int]:
    """The children of one thread, by default the first. Raises OSError if it is gone."""
    with open(f"/proc/{pid}/task/{thread or pid}/children") as file:  # noqa: PTH123
        return list(map(int, file.read().split()))


def kill_process(pid: int, started: str, number: int) -> bool:
    """Signals exactly that process, never a later one with the same PID. Returns False if it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if start_time(pid) != started:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


class Processes:
    """The processes of the sandbox whose first process is `first`."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._in_memory: list[int] = []

    def open_in_memory(self, *targets: str) -> None:
        """Opens the sandbox's in-memory file systems. Called once it exists."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._in_memory = [os.open(f"/proc/{self._first}/root{target}", flags) for target in targets]

    def members(self) -> Iterator[int]:
        pending = [self._first]
        while pending:
            pid = pending.pop()
            yield pid
            with suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
                    pending += children(pid, int(thread))

    def terminate(self) -> None:
        """Sends TERM to all but the first process, which is bubblewrap's own."""
        for pid in list(self.members())[1:]:
            with suppress(OSError):
                os.kill(pid, signal.SIGTERM)

    def usage(self, limit_bytes: int) -> tuple[int, int]:
        """Returns bytes of memory and the number of processes and threads.

        The sum of each process's own memory is fast to read, but counts pages twice that processes share, for example
        after fork. Only if that sum exceeds the limit, shared pages are examined, which takes milliseconds.
        """
        members = list(self.members())
        private = shared = threads = 0
        for pid in members:
            facts = _fields(f"/proc/{pid}/status", ("RssAnon", "RssShmem", "VmSwap", "Threads"))
            private += (facts["RssAnon"] + facts["VmSwap"]) * 1024
            shared += facts["RssShmem"] * 1024
            threads += facts["Threads"]
        files = self._files_in_memory_bytes()
        if private + max(shared, files) > limit_bytes:
            private = shared = 0
            for pid in members:
                facts = _fields(f"/proc/{pid}/smaps_rollup", ("Pss_Anon", "Pss_Shmem", "SwapPss"))
                private += (facts["Pss_Anon"] + facts["SwapPss"]) * 1024
                shared += facts["Pss_Shmem"] * 1024
        # A mapped file in /dev/shm is part of both. The larger of the two counts each byte at least once, or half of
        # them if a job has as much in unmapped files as in other shared memory.
        return private + max(shared, files), max(0, threads - 1)

    def _files_in_memory_bytes(self) -> int:
        total = 0
        for descriptor in self._in_memory:
            facts = os.fstatvfs(descriptor)
            total += (facts.f_blocks - facts.f_bfree) * facts.f_bsize + (facts.f_files - facts.f_ffree) * _INODE_BYTES
        return total


def _fields(path: str, names: tuple[str, ...]) -> dict[str, int]:
    found = dict.fromkeys(names, 0)
    with suppress(OSError), open(path) as file:  # noqa: PTH123
        for line in file:
            name, _, content = line.partition(":")
            if name in found:
                found[name] = int(content.split()[0])
    return found
