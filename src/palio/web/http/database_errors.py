"""A database that does not answer at the moment: it is busy, its disk has no room, or it is not there.

Nothing is broken then, and each change is one transaction, so that nothing is half done: whoever asks again later is
answered. Whatever else a database complains of is a bug.
"""

import secrets
import sqlite3

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from palio.web.http.refusals import RefusedError

AGAIN_S = 5  # when a program may ask again

_SQLITE = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR: "away",
    sqlite3.SQLITE_READONLY: "away",
    sqlite3.SQLITE_CANTOPEN: "away",
}
_POSTGRESQL = {"53100": "full", "40001": "busy", "40P01": "busy", "55P03": "busy"}  # any other: there is no connection


def refusal_for(error: BaseException | None) -> RefusedError | None:
    """What to tell whoever asked; None where `error` is none of these."""
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
    """What to tell where something could not be counted: Django's cache says of a database merely that it did not."""
    key, when = secrets.token_hex(), connection.ops.adapt_datetimefield_value(timezone.now())
    try:
        with transaction.atomic(), connection.cursor() as cursor:  # a row that comes and goes has been written, too
            cursor.execute("INSERT INTO palio_cache (cache_key, value, expires) VALUES (%s, '', %s)", [key, when])
            cursor.execute("DELETE FROM palio_cache WHERE cache_key = %s", [key])
    except DatabaseError as error:
        return refusal_for(error)
    return None


def _kind(error: BaseException | None) -> str | None:
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    said = error.__cause__
    if connection.vendor == "sqlite":  # which calls a table that is not there an operational error, too
        return _SQLITE.get(getattr(said, "sqlite_errorcode", 0) & 0xFF)  # without the reasons in its upper bits
    return _POSTGRESQL.get(getattr(said, "sqlstate", None) or "", "away")
