"""All rows from PostgreSQL to SQLite and back, so that a backup of either kind of platform restores to either.

Not copied: the cache, which has counters of rate limits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import django
from django.apps import apps
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from palio.core.errors import PalioError
from palio.web.serving.database import make_tables, refuse_other_version, unusable

_COPY = "copy"
_ROWS = 2000  # at once
_NO_SERVER = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": ""}


def copy_postgresql(target: Path) -> None:
    """Everything committed by the beginning of the copy, as an SQLite database.

    Raises PalioError "database-unusable", "database-older" or "database-newer".
    """
    with _also_sqlite(target) as (connection, copy), transaction.atomic(connection.alias):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        refuse_other_version(connection)
        make_tables(copy)
        _copy_rows(connection, copy)


def move_to_postgresql(source: Path) -> None:
    """Everything of an SQLite database of this version, to the empty PostgreSQL database of the settings.

    All or nothing. Raises PalioError like `copy_postgresql`, and "target-not-empty".
    """
    with _also_sqlite(source) as (connection, copy):
        if connection.introspection.table_names():
            raise PalioError("target-not-empty", path="The database that database_url names")
        refuse_other_version(copy)
        with transaction.atomic(connection.alias):
            make_tables(connection)
            _copy_rows(copy, connection)
            with connection.cursor() as cursor:
                for statement in connection.ops.sequence_reset_sql(no_style(), _models()):
                    cursor.execute(statement)


@contextmanager
def _also_sqlite(file: Path) -> Iterator[tuple[BaseDatabaseWrapper, BaseDatabaseWrapper]]:
    """The connection of the settings, and one to `file`."""
    django.setup()
    from palio.web.settings import database_settings

    connection = connections[DEFAULT_DB_ALIAS]
    own = {**database_settings(""), "NAME": file, "OPTIONS": {}, "CONN_MAX_AGE": 0}
    connections.databases[_COPY] = connections.databases[DEFAULT_DB_ALIAS] | _NO_SERVER | own
    copy = connections[_COPY]
    try:
        yield connection, copy
    except DatabaseError as error:
        raise unusable(error) from error
    finally:
        copy.close()
        del connections[_COPY], connections.databases[_COPY]


def _copy_rows(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> None:
    """Rows of all models; foreign keys are checked at the end of the transaction."""
    with transaction.atomic(target.alias):
        for model in _models():
            rows = model._base_manager.using(source.alias).order_by().iterator(_ROWS)
            while batch := [*islice(rows, _ROWS)]:
                model._base_manager.using(target.alias).bulk_create(batch)


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
