"""Copies of an SQLite database while the platform keeps writing, and dumps of PostgreSQL in older backups."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from palio.core.errors import PalioError


def copy_sqlite(source: Path, target: Path) -> None:
    """Everything committed by the end of the copy, in a single file."""
    origin = sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=60)
    with closing(origin), closing(sqlite3.connect(target)) as copy:
        origin.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


def is_whole(database: Path) -> bool:
    """Whether SQLite's integrity check passes on a file that nobody else has open."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def load_postgresql(url: str, dump: Path) -> None:
    """Load a dump, which older backups of PostgreSQL hold, into an empty database; all or nothing."""
    command = ["pg_restore", "--single-transaction", "--exit-on-error", "--no-owner"]
    _run([*command, f"--dbname={_name(url)}", str(dump)], url, "Restoring to PostgreSQL")


def has_tables(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            found = connection.execute(
                "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() LIMIT 1"
            ).fetchone()
    except psycopg.Error as error:
        raise _unusable(url, str(error)) from error
    return found is not None


def _run(command: list[str], url: str, what: str) -> None:
    parts = urlsplit(url)
    given = {
        "PGHOST": unquote(parts.hostname or ""),
        "PGPORT": str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),  # not as an argument, which every user of the machine could read
        "PGDATABASE": _name(url),
        **{f"PG{key.upper()}": value for key, value in parse_qsl(parts.query)},
    }
    environment = os.environ | {name: value for name, value in given.items() if value}
    try:
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PalioError(
            "program-missing", what=what, program=command[0], command="apt-get install postgresql-client"
        ) from None
    if result.returncode:
        raise _unusable(url, result.stderr)


def _name(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/"))


def _unusable(url: str, said: str) -> PalioError:
    lines = [line for line in said.strip().splitlines() if line.strip()] or ["no reason was given"]
    return PalioError(
        "database-unusable",
        database=f"{_name(url)} at {urlsplit(url).hostname or 'this machine'}",
        reason=lines[0].rstrip("."),
        next_step="Check database_url, that the server runs, and that pg_restore is not older than the server.",
        evidence=lines[1:6],
    )
