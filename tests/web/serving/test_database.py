"""A database made at once is the one that migrating makes, and one that is there is kept before it is changed."""

import json
import subprocess
import sys
from pathlib import Path

from tests.web.serving.running import SQLITE_ONLY, environment

MAKE = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "palio.web.settings"
import django
from palio.web.settings import FOLDERS
FOLDERS.make()
django.setup()
from django.core.management import call_command
from django.db import connection
if sys.argv[1] == "migrate":
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
else:
    from palio.web.serving.database import bring_to_date
    bring_to_date()
tables = {}
with connection.cursor() as cursor:
    for table in connection.introspection.table_names(cursor):
        columns = cursor.execute(f"PRAGMA table_xinfo('{table}')").fetchall()
        keys = cursor.execute(f"PRAGMA foreign_key_list('{table}')").fetchall()
        constraints = connection.introspection.get_constraints(cursor, table)
        tables[table] = {
            "columns": sorted(str(column[1:6]) for column in columns),
            "keys": sorted(str(key[2:]) for key in keys),
            "constraints": {
                # Django names a CHECK of a column after nothing
                name: {key: value for key, value in found.items() if key != "columns" or not found["check"]}
                for name, found in constraints.items() if not name.startswith(("__", "fk_"))  # numbered, see keys
            },
        }
    rows = {
        name: sorted(map(str, cursor.execute(query).fetchall()))
        for name, query in {
            "migrations": "SELECT app, name FROM django_migrations",
            "kinds": "SELECT app_label, model FROM django_content_type",
            "permissions": "SELECT codename, name FROM auth_permission",
        }.items()
    }
print(json.dumps({"tables": tables, "rows": rows}, sort_keys=True))
"""


def make(data: Path, how: str) -> object:
    command = [sys.executable, "-c", MAKE, how]
    result = subprocess.run(command, env=environment(PALIO_DATA=str(data)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@SQLITE_ONLY
def test_new_database_equals_migrated(tmp_path: Path) -> None:
    assert make(tmp_path / "once", "once") == make(tmp_path / "migrated", "migrate")


@SQLITE_ONLY
def test_upgrade_keeps_previous_database(tmp_path: Path) -> None:
    before = make(tmp_path / "data", "once")
    undo = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]);"
        "d.execute(\"DELETE FROM django_migrations WHERE app='mfa' AND name LIKE '0003%'\"); d.commit()"
    )
    database = tmp_path / "data" / "palio.sqlite3"
    subprocess.run([sys.executable, "-c", undo, str(database)], check=True)
    assert make(tmp_path / "data", "once") == before
    (kept,) = (tmp_path / "data").glob("database-before-upgrade-*.sqlite3")
    assert kept.stat().st_size > 100_000
