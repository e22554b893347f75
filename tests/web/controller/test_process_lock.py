"""One controller: the lock in the data folder, and that of the database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from tests.conftest import lacking
from tests.errors import code_of
from tests.web.postgresql import cluster, programs

from palio.web.config.data_folder import Folders
from palio.web.controller import process_lock as module
from palio.web.controller.process_lock import alone
from palio.web.settings import database_settings


@pytest.fixture
def on_postgresql(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDatabaseWrapper]:
    """A connection to PostgreSQL, which is the one that controllers have: these tests' own, or of a server that is
    thrown away.
    """
    if connection.vendor == "postgresql":
        yield connection
        return
    if programs() is None:
        lacking("no PostgreSQL server is installed")
    with cluster() as url:
        made = ConnectionHandler({"default": database_settings(url)})
        monkeypatch.setattr(module, "connection", made["default"])
        yield made["default"]
        made.close_all()


def enter(folder: Path) -> None:
    with alone(Folders(folder)):
        pass


def test_folder_lock_exclusive(db: None, tmp_path: Path) -> None:
    with alone(Folders(tmp_path)) as still_alone:
        still_alone()
        assert code_of(lambda: enter(tmp_path)) == "data-in-use"
    with alone(Folders(tmp_path)):
        pass


def test_database_lock_exclusive(on_postgresql: BaseDatabaseWrapper, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with alone(Folders(one)) as still_alone:
        assert code_of(lambda: enter(other)) == "data-in-use"
        with on_postgresql.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        still_alone()
        assert code_of(lambda: enter(other)) == "data-in-use"
    with alone(Folders(other)):
        pass
