"""All that the database holds, to see what a request has changed."""

import hashlib
from collections.abc import Mapping

from django.db import connection

# What looking may change: who is signed in, what was counted against them, when a token was last used.
_LOOKED = {"django_session", "palio_cache"}
_SEEN = {"palio_apitoken": "last_used", "palio_user": "last_login"}


def tables() -> Mapping[str, str]:
    """For each table a digest of its rows."""
    with connection.cursor() as cursor:
        found = {}
        for table in sorted(connection.introspection.table_names(cursor)):
            if table in _LOOKED:
                continue
            columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
            listed = ", ".join(f'"{column}"' for column in columns if column != _SEEN.get(table))
            cursor.execute(f'SELECT {listed} FROM "{table}" ORDER BY 1')  # noqa: S608 - of names that it gave itself
            found[table] = hashlib.sha256(repr(cursor.fetchall()).encode()).hexdigest()
    return found


def changed_tables(before: Mapping[str, str]) -> list[str]:
    now = tables()
    return sorted(table for table in now if now[table] != before.get(table))
