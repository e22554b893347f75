"""Signs of life of the controller, which its supervisor looks at: in memory that both share, without disk or database.

Covered: a controller whose code hangs, for whatever reason, even without ever letting another thread run: no sign
comes. A database that is away is told apart, as its waits are marked, and bounded by its own timeouts first. What was
being worked on stays readable after a kill. Not covered: a supervisor that hangs itself.
"""

import mmap
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

HANGS_S = 30.0  # without a sign: it is killed and started again
WAITS_S = 300.0  # the same while it waits for the database
_WHEN, _WAITS, _WORK = struct.Struct("d"), 8, slice(16, 32)


class Pulse:
    """Made before the fork; then the controller writes, and the supervisor reads."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.beat()

    def beat(self) -> None:
        _WHEN.pack_into(self._memory, 0, time.monotonic())

    def restart(self) -> None:
        """The next process writes from now on; what the last one was at stays."""
        self._memory[_WAITS] = 0
        self.beat()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """In here, it waits for the database."""
        self.beat()
        self._memory[_WAITS] = 1
        try:
            yield
        finally:
            self._memory[_WAITS] = 0
            self.beat()

    def is_missing(self) -> bool:
        """Whether no sign has come for too long."""
        (when,) = _WHEN.unpack_from(self._memory, 0)
        return bool(time.monotonic() - when > (WAITS_S if self._memory[_WAITS] else HANGS_S))

    @property
    def at_work(self) -> str:
        """The identity of the attempt that is being handled, or was when the process was killed; empty between."""
        return self._memory[_WORK].rstrip(b"\0").decode(errors="replace")

    @at_work.setter
    def at_work(self, identity: str) -> None:
        self._memory[_WORK] = identity.encode()[:16].ljust(16, b"\0")


def watch_database(connection: "BaseDatabaseWrapper", pulse: Pulse) -> None:
    """Marks what waits for the database: queries, connecting and committing."""

    def query(execute: Callable[..., Any], *arguments: Any) -> Any:
        with pulse.waiting():
            return execute(*arguments)

    def marked(call: Callable[[], None]) -> Callable[[], None]:
        def waiting() -> None:
            with pulse.waiting():
                call()

        return waiting

    connection.execute_wrappers.append(query)
    connection.connect = marked(connection.connect)  # type: ignore[method-assign]
    connection.commit = marked(connection.commit)  # type: ignore[method-assign]
