"""Temporary database errors: the database is busy, its disk is full, or it is unreachable.

Nothing is broken then, and each change is one transaction, so that the request can be repeated later. Every other
database error is a bug.
"""

import secrets
import sqlite3

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from palio.web.http.refusals import RefusedError

AGAIN_S = 5  # before a program may retry

_SQLITE = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR: "away",
    sqlite3.SQLITE_READONLY: "away",
    sqlite3.SQLITE_CANTOPEN: "away",
}
_POSTGRESQL = {"53100": "full", "40001": "busy", "40P01": "busy", "55P03": "busy"}  # any other: no connection


def refusal_for(error: BaseException | None) -> RefusedError | None:
    """The refusal for a temporary database error; None for other errors."""
    match _kind(error):
        case "busy":
            return RefusedError(
                "database-busy",
                "The platform is busy: its database did not answer in time.",
                "Try once more in some seconds. Nothing that was accepted is lost.",
                503,
            )
        case "full":
            return RefusedError(
                "disk-full",
                "The platform's disk has no room.",
                "It is the operator's turn; try again when there is room. Nothing that was accepted is lost.",
                507,
            )
        case "away":
            return RefusedError(
                "database-away",
                "The platform's database cannot be reached or written.",
                "It is the operator's turn; try again later. Nothing that was accepted is lost.",
                503,
            )
    return None


def refusal_to_write() -> RefusedError | None:
    """The refusal when a counter could not be written: Django's cache only says that the write failed."""
    key, when = secrets.token_hex(), connection.ops.adapt_datetimefield_value(timezone.now())
    try:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
        ):  # a row that is inserted and deleted also shows that writing works
            cursor.execute("INSERT INTO palio_cache (cache_key, value, expires) VALUES (%s, '', %s)", [key, when])
            cursor.execute("DELETE FROM palio_cache WHERE cache_key = %s", [key])
    except DatabaseError as error:
        return refusal_for(error)
    return None


def _kind(error: BaseException | None) -> str | None:
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    said = error.__cause__
    if connection.vendor == "sqlite":  # SQLite also calls a missing table an operational error
        return _SQLITE.get(getattr(said, "sqlite_errorcode", 0) & 0xFF)  # without the extended code in its upper bits
    return _POSTGRESQL.get(getattr(said, "sqlstate", None) or "", "away")
