"""Temporary database errors: the database is busy, its disk is full, or it cannot be reached.

Nothing is broken then, and each change is one transaction, so nothing is half done and a client can retry later.
Any other database error is a bug.
"""

import secrets
import sqlite3

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from palio.core.errors import PalioError

RETRY_S = 5  # before a program may retry

_BUSY, _FULL, _UNREACHABLE = "database-busy", "storage-full", "database-unreachable"
_SQLITE = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _UNREACHABLE,
    sqlite3.SQLITE_READONLY: _UNREACHABLE,
    sqlite3.SQLITE_CANTOPEN: _UNREACHABLE,
}
_POSTGRESQL = {"53100": _FULL, "40001": _BUSY, "40P01": _BUSY, "55P03": _BUSY}  # any other: no connection


def error_for(error: BaseException | None) -> PalioError | None:
    """The error for a temporary database error; None for other errors."""
    code = _code(error)
    return PalioError(code) if code else None


def error_of_writing() -> PalioError | None:
    """The error when a counter cannot be written: Django's cache only says that the write failed."""
    key, when = secrets.token_hex(), connection.ops.adapt_datetimefield_value(timezone.now())
    try:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
        ):  # a row that is inserted and deleted also shows that writing works
            cursor.execute("INSERT INTO palio_cache (cache_key, value, expires) VALUES (%s, '', %s)", [key, when])
            cursor.execute("DELETE FROM palio_cache WHERE cache_key = %s", [key])
    except DatabaseError as error:
        return error_for(error)
    return None


def _code(error: BaseException | None) -> str | None:
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    said = error.__cause__
    if connection.vendor == "sqlite":  # SQLite also calls a missing table an operational error
        return _SQLITE.get(getattr(said, "sqlite_errorcode", 0) & 0xFF)  # without the extended code in its upper bits
    return _POSTGRESQL.get(getattr(said, "sqlstate", None) or "", _UNREACHABLE)
