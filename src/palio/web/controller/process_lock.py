"""Lock for a single controller: a file in the data folder and, on PostgreSQL, an advisory lock in the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from palio.core.errors import PalioError
from palio.web.config.data_folder import Folders
from palio.web.storage.process_lock import lock

_KEY = 0x70616C696F  # advisory locks are per database


@contextmanager
def alone(folders: Folders) -> Iterator[Callable[[], None]]:
    """Yield a function to call at each tick, which raises PalioError "data-in-use" if the lock was lost for good."""
    # Not the file that `palio serve` locks: all its processes share that lock, and this one is for a single process.
    with lock(folders.root / "evaluating.lock", "another controller"):
        if connection.vendor != "postgresql":
            yield lambda: None
            return
        own = _DatabaseLock()
        try:
            own.keep()
            yield own.keep
        finally:
            own.close()


class _DatabaseLock:
    """Held by a connection of its own, which does nothing else and so is never closed for its age."""

    def __init__(self) -> None:
        self._connection: BaseDatabaseWrapper | None = None

    def keep(self) -> None:
        if self._connection is not None:
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                return
            except DatabaseError:  # without the connection, the lock is lost
                self.close()
        made = connection.copy()
        try:
            with made.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [_KEY])
                row = cursor.fetchone()
        except DatabaseError:  # the database is unreachable; the caller retries
            made.close()
            raise
        if not row or not row[0]:
            made.close()
            raise PalioError(
                "data-in-use", path="The database", what="another controller", process="of another machine or folder"
            )
        self._connection = made  # only now: a connection without the lock must not pass for one with it

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
