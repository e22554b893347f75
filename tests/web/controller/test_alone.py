"""One controller: the lock in the data folder, and that of the database."""

from pathlib import Path

import pytest
from django.db import connection

from palio.core.errors import PalioError
from palio.web.controller.alone import alone
from palio.web.folders import Folders


def test_second_in_a_folder_is_refused_until_the_first_has_gone(db: None, tmp_path: Path) -> None:
    with alone(Folders(tmp_path)) as still_alone:
        still_alone()
        with pytest.raises(PalioError, match="in use") as caught, alone(Folders(tmp_path)):
            pass
        assert caught.value.failure.code == "data-in-use"
    with alone(Folders(tmp_path)):
        pass


@pytest.mark.django_db(transaction=True)
def test_second_at_a_database_is_refused_and_a_lost_lock_is_taken_again(tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a SQLite database lies in its folder")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with alone(Folders(one)) as still_alone:
        with pytest.raises(PalioError, match="in use"), alone(Folders(other)):
            pass
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        still_alone()
        with pytest.raises(PalioError, match="in use"), alone(Folders(other)):
            pass
    with alone(Folders(other)):
        pass
