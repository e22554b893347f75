"""Heartbeat of the controller for its supervisor, in shared memory, without disk or database.

Covered: a controller that hangs for any reason, even without letting another thread run: the heartbeat stops. Waiting
for a database is told apart, because those waits are marked and limited by their own timeouts. What was being worked
on stays readable after a kill. Not covered: a supervisor that hangs.
"""

import mmap
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

HANGS_S = 30.0  # without a heartbeat before it is killed and restarted
WAITS_S = 300.0  # the same while waiting for the database
_WHEN, _WAITS, _WORK = struct.Struct("d"), 8, slice(16, 32)


class Heartbeat:
    """Created before the fork; then the controller writes it and the supervisor reads it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.beat()

    def beat(self) -> None:
        _WHEN.pack_into(self._memory, 0, time.monotonic())

    def restart(self) -> None:
        """Hand over to the next process; what the last one was working on stays."""
        self._memory[_WAITS] = 0
        self.beat()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Marks a wait for the database."""
        self.beat()
        self._memory[_WAITS] = 1
        try:
            yield
        finally:
            self._memory[_WAITS] = 0
            self.beat()

    def is_missing(self) -> bool:
        """Whether the heartbeat has stopped for too long."""
        (when,) = _WHEN.unpack_from(self._memory, 0)
        return bool(time.monotonic() - when > (WAITS_S if self._memory[_WAITS] else HANGS_S))

    @property
    def at_work(self) -> str:
        """The attempt that is being handled, or was when the process was killed; empty in between."""
        return self._memory[_WORK].rstrip(b"\0").decode(errors="replace")

    @at_work.setter
    def at_work(self, identity: str) -> None:
        self._memory[_WORK] = identity.encode()[:16].ljust(16, b"\0")


def watch_database(connection: "BaseDatabaseWrapper", heartbeat: Heartbeat) -> None:
    """Mark all waits for the database: queries, connections and commits."""

    def query(execute: Callable[..., Any], *arguments: Any) -> Any:
        with heartbeat.waiting():
            return execute(*arguments)

    def marked(call: Callable[[], None]) -> Callable[[], None]:
        def waiting() -> None:
            with heartbeat.waiting():
                call()

        return waiting

    connection.execute_wrappers.append(query)
    connection.connect = marked(connection.connect)  # type: ignore[method-assign]
    connection.commit = marked(connection.commit)  # type: ignore[method-assign]
