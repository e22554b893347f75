"""The platform with PostgreSQL: it starts, is backed up and restored."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from tests.bundles import write_bundle
from tests.conftest import lacking
from tests.web.postgresql import cluster, database, programs
from tests.web.serving.running import Browser, environment, palio, running

PASSWORD = "a-long-enough-password"  # noqa: S105


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if programs() is None:
        lacking("PostgreSQL is not installed")
    with cluster() as address:
        yield address


def test_postgresql_backup_and_restore(server: str, tmp_path: Path) -> None:
    with database(server) as first, database(server) as second:
        with running(tmp_path / "data", DATABASE_URL=first) as started:
            browser = Browser()
            link = started.link()
            assert link
            where, page = browser.get(link)
            browser.post(where, page, password1=PASSWORD, password2=PASSWORD)
            saved = palio("backup", tmp_path / "palio.tar", "--data", started.data, DATABASE_URL=first)
            assert saved.returncode == 0, saved.stderr
            started.end()
        assert not (tmp_path / "data" / "palio.sqlite3").exists()

        full = palio("restore", tmp_path / "palio.tar", "--data", tmp_path / "elsewhere", DATABASE_URL=first)
        assert (full.returncode, "(target-not-empty)" in full.stderr) == (2, True)
        restored = palio("restore", tmp_path / "palio.tar", "--data", tmp_path / "elsewhere", DATABASE_URL=second)
        assert restored.returncode == 0, restored.stderr

        with running(tmp_path / "elsewhere", DATABASE_URL=second) as successor:
            assert successor.link() is None
            assert "admin" in browser.get(successor.address)[1]
            health = successor.health()
            assert health is not None
            assert health["pages"] == "up"


def test_backup_moves_between_databases(server: str, tmp_path: Path) -> None:
    """From SQLite to PostgreSQL and back: all rows are the same, and new rows get new numbers."""
    with database(server) as url:
        folder = write_bundle(tmp_path / "vowels")
        with running(tmp_path / "first", "--pages-only", "--with", folder) as started:
            link = started.link()
            assert link
            started.end()
        moves = [("first", ""), ("second", url), ("third", "")]
        for (source, from_url), (target, to_url) in pairwise(moves):
            archive = tmp_path / f"{source}.tar"
            for command, data, place in (("backup", source, from_url), ("restore", target, to_url)):
                done = palio(command, archive, "--data", tmp_path / data, **({"DATABASE_URL": place} if place else {}))
                assert done.returncode == 0, done.stderr
        assert not (tmp_path / "second/palio.sqlite3").exists()
        assert rows(tmp_path / "first/palio.sqlite3") == rows(tmp_path / "third/palio.sqlite3")

        with running(tmp_path / "second", DATABASE_URL=url) as successor:
            assert "Vowels" in successor.ask("/")[1]
            browser = Browser()
            where, page = browser.get(link.replace(started.address, successor.address))
            browser.post(where, page, password1=PASSWORD, password2=PASSWORD)
            assert "admin" in browser.get(successor.address)[1]
            assert "duplicate key" not in successor.said


def rows(database: Path) -> dict[str, list[str]]:
    """Of each table; PostgreSQL sorts the keys of JSON."""
    left_out = {"palio_cache", "sqlite_sequence", "django_migrations"}
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in {*tables} - left_out}  # noqa: S608
    return {name: sorted(str([sorted_keys(value) for value in row]) for row in table) for name, table in found.items()}


def sorted_keys(value: object) -> object:
    return (
        json.dumps(json.loads(value), sort_keys=True) if isinstance(value, str) and value[:1] in ("{", "[") else value
    )


def test_backup_of_an_older_database(server: str, tmp_path: Path) -> None:
    with database(server) as url:
        with running(tmp_path / "data", "--pages-only", DATABASE_URL=url):
            pass
        with psycopg.connect(url) as connection:
            newest = connection.execute("SELECT max(name) FROM django_migrations WHERE app = 'palio'").fetchone()
            connection.execute("DELETE FROM django_migrations WHERE name = %s", newest)
        result = palio("backup", tmp_path / "palio.tar", "--data", tmp_path / "data", DATABASE_URL=url)
        assert (result.returncode, "it lacks 1 migration of this version" in result.stderr) == (12, True)
        assert not (tmp_path / "palio.tar").exists()


def test_postgresql_several_controllers(server: str, tmp_path: Path) -> None:
    """The pages and one controller run; a second one may, unless its data folder is another one."""
    with database(server) as url, running(tmp_path / "data", DATABASE_URL=url) as started:
        started.wait_for("the controller", lambda: (started.health() or {}).get("controller") == "up")
        elsewhere = palio("controller", "--data", tmp_path / "elsewhere", DATABASE_URL=url)
        assert (elsewhere.returncode, "(data-not-shared)" in elsewhere.stderr) == (12, True)
        assert f"{tmp_path / 'elsewhere'} is not the data folder that belongs to this database" in elsewhere.stderr
        with controller(started.data, url) as second, psycopg.connect(url, autocommit=True) as connection:
            started.wait_for("two leases", lambda: leases(connection) == 2)
            second.terminate()
            assert second.wait(30) == 0
            assert leases(connection) == 1
            assert (started.health() or {}).get("controller") == "up"


@contextmanager
def controller(data: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "palio", "controller", "--data", str(data)]
    with subprocess.Popen(command, env=environment(DATABASE_URL=url)) as process:
        try:
            yield process
        finally:
            process.terminate()


def leases(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute("SELECT count(*) FROM palio_controllerbeat WHERE expires > now()").fetchone()
    return row[0] if row else 0


def test_postgresql_newer_version(server: str, tmp_path: Path) -> None:
    with database(server) as url:
        with running(tmp_path / "data", "--pages-only", DATABASE_URL=url):
            pass
        with psycopg.connect(url) as connection:
            insert = "INSERT INTO django_migrations (app, name, applied) VALUES ('palio', '0999_later', now())"
            connection.execute(insert)
        result = palio("serve", "--data", tmp_path / "data", DATABASE_URL=url)
        assert (result.returncode, "(database-newer)" in result.stderr) == (12, True)


def test_postgresql_unreachable_hides_password(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://palio:8462847@127.0.0.1:1/palio"}
    result = palio("serve", "--data", tmp_path / "data", **given)
    assert (result.returncode, "(database-unusable)" in result.stderr) == (12, True)
    assert "8462847" not in result.stdout + result.stderr
