"""Brings the database to the schema of this version before anything else reads it.

An empty database gets all tables at once, ten times faster than migrating step by step; a test compares the two. An
existing one is migrated after a copy was made (SQLite). A newer one is refused and not touched.
"""

from datetime import UTC, datetime

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from palio import __version__
from palio.core.errors import PalioError, counted
from palio.core.files.staging import staged
from palio.web.serving.database_copy import copy_sqlite
from palio.web.serving.terminal import say

KEPT_BEFORE = "database-before-upgrade"


def bring_to_date() -> None:
    """Update the schema. Raises PalioError "database-newer" or "database-unusable"."""
    try:
        _bring_to_date()
    except DatabaseError as error:
        raise unusable(error) from error


def refuse_other_version(of: BaseDatabaseWrapper) -> None:
    """Raises PalioError "database-newer" or "database-older" if the schema is not that of this version."""
    if plan := _missing_migrations(of):
        raise PalioError("database-older", database=_shown(of), count=counted(len(plan), "migration"))


def make_tables(of: BaseDatabaseWrapper) -> None:
    """Create all tables as the last migration leaves them, without a row, and record all migrations; all or nothing."""
    executor, recorder = MigrationExecutor(of), MigrationRecorder(of)
    with of.schema_editor(atomic=True) as editor:
        models: list[type[Model]] = [recorder.Migration, *executor.loader.project_state().apps.get_models()]
        for model in models:
            if model._meta.managed and not model._meta.proxy:
                editor.create_model(model)
        for app, name in executor.loader.disk_migrations:
            recorder.record_applied(app, name)
        call_command("createcachetable", database=of.alias, verbosity=0)


def _bring_to_date() -> None:
    if not connection.introspection.table_names():
        make_tables(connection)
        emit_post_migrate_signal(verbosity=0, interactive=False, db=connection.alias)
        return
    if plan := _missing_migrations(connection):
        _keep_before_upgrade()
        say(f"  database    {len(plan)} migrations for this version of Palio")
        call_command("migrate", verbosity=0, interactive=False)
    call_command("createcachetable", verbosity=0)  # only if it does not exist


def _missing_migrations(of: BaseDatabaseWrapper) -> list[tuple[Migration, bool]]:
    executor = MigrationExecutor(of)
    applied, known = set(executor.loader.applied_migrations), set(executor.loader.disk_migrations)
    ours = {"palio", *(config.label for config in apps.get_app_configs())}
    if newer := sorted(f"{app}.{name}" for app, name in applied - known if app in ours):
        evidence = [f"unknown migration: {name}" for name in newer]
        raise PalioError("database-newer", database=_shown(of), version=__version__, evidence=evidence)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def unusable(error: DatabaseError) -> PalioError:
    if connection.vendor == "postgresql":
        next_step = "Check database_url, and that the server runs and lets this user in: psql with the same address."
    else:
        next_step = "See whether the disk is full and the file this user's own; else restore a backup: palio restore."
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return PalioError("database-unusable", database=_shown(connection), reason=reason.rstrip("."), next_step=next_step)


def _keep_before_upgrade() -> None:
    if connection.vendor != "sqlite":
        say("  database    will be migrated; no copy is made of PostgreSQL here, only by palio backup")
        return
    kept = settings.FOLDERS.root / f"{KEPT_BEFORE}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite3"
    with staged(kept) as (part,):
        copy_sqlite(settings.FOLDERS.database, part)
    say(f"  database    backup from before the upgrade: {kept}")


def _shown(of: BaseDatabaseWrapper) -> str:
    """The name of the database, without the password that its URL may contain."""
    name = of.settings_dict["NAME"]
    return f"{name} at {of.settings_dict['HOST'] or 'this machine'}" if of.vendor != "sqlite" else str(name)
