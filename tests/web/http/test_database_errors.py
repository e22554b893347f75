"""A database that does not answer, for real: whoever asks is told so in a sentence, and is answered later."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from tests.mounts import on_a_mount

from palio.web.http import database_errors

# A platform with SQLite in a data folder of its own, on whatever disk that is.
PLATFORM = """
import json, os, sqlite3, sys
from pathlib import Path
data = Path(sys.argv[1])
os.environ["PALIO_DATA"] = str(data)
os.environ.pop("DATABASE_URL", None)
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.web.settings_for_data_folder"
sys.path.insert(0, os.getcwd())
import django
django.setup()
from django.conf import settings
settings.DATABASES["default"]["OPTIONS"]["timeout"] = 0.3
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)

from django.test import Client
from tests.bundles import write_bundle
from tests.web.world import make_world
from tests.web.submission_files import context_zip
from tests.web.tus import announcing
from palio.web.verbs.tokens import make_token

world = make_world(write_bundle(data / "vowels"))
_, secret = make_token(world.bob, "laptop", ["read", "submit"], days=1)
program = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
browser = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
browser.force_login(world.bob, backend="allauth.account.auth_backends.AuthenticationBackend")
content = context_zip()

def announce():
    answer = program.post("/api/v1/challenges/mednist/uploads", headers=announcing(content))
    code = answer.json()["code"] if answer.content else None
    return [answer.status_code, code, answer.headers.get("Retry-After")]

def rename():
    answer = browser.post(f"/teams/{world.team.pk}/rename/", {"name": "Blobs and more"})
    text = answer.content.decode()
    return [answer.status_code, "Nothing that the platform accepted" in text, str(data) in text or "sqlite" in text]

def sign_in():
    asked = {"login": "bob", "password": "not that one"}
    answer = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False).post("/accounts/login/", asked)
    return [answer.status_code, "Too many" in answer.content.decode()]

def read():
    return [program.get("/api/v1/me").status_code, browser.get("/").status_code, browser.get("/c/mednist/").status_code]

said = {}
"""
BUSY = """
holder = sqlite3.connect(data / "palio.sqlite3", isolation_level=None)
holder.execute("BEGIN IMMEDIATE")
said["meanwhile"] = {"read": read(), "announce": announce(), "rename": rename(), "sign in": sign_in()}
holder.execute("ROLLBACK")
said["then"] = {"read": read(), "announce": announce(), "rename": rename()[0], "sign in": sign_in()}
print(json.dumps(said))
"""
FULL = """
filler = data / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
said["meanwhile"] = {"read": read(), "announce": announce(), "rename": rename(), "sign in": sign_in()}
filler.unlink()
said["then"] = {"read": read(), "announce": announce(), "rename": rename()[0], "sign in": sign_in()}
print(json.dumps(said))
"""
LATER = {"read": [200, 200, 200], "announce": [201, None, None], "rename": 302, "sign in": [200, False]}


def test_sqlite_busy(tmp_path: Path) -> None:
    program = [sys.executable, "-c", PLATFORM + BUSY, str(tmp_path)]
    said = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    assert said == {
        "meanwhile": {
            "read": [200, 200, 200],
            "announce": [503, "database-busy", "5"],
            "rename": [503, True, False],
            "sign in": [503, False],
        },
        "then": LATER,
    }


def test_disk_full(tmp_path: Path) -> None:
    """The database lies on the same disk, to its last byte filled by something else."""
    (data := tmp_path / "data").mkdir()
    said = json.loads(on_a_mount("size=20m", data, PLATFORM + FULL).splitlines()[-1])
    assert said == {
        "meanwhile": {
            "read": [200, 200, 200],
            "announce": [507, "storage-full", None],
            "rename": [507, True, False],
            "sign in": [507, False],
        },
        "then": LATER,
    }


@pytest.mark.skipif("DATABASE_URL" not in os.environ, reason="asked on PostgreSQL alone, see test_on_postgresql.py")
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("SELECT pg_terminate_backend(pg_backend_pid())", "database-unreachable"),
        ("SET lock_timeout = '50ms'; LOCK TABLE palio_user", "database-busy"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_postgresql_gone_or_busy(asked: str, code: str) -> None:
    other = connection.copy()
    with connection.cursor() as holder:
        holder.execute("BEGIN; LOCK TABLE palio_user")
        try:
            with pytest.raises(OperationalError) as error, other.cursor() as cursor:
                cursor.execute(asked)
        finally:
            holder.execute("ROLLBACK")
            other.close()
    refused = database_errors.error_for(error.value)
    assert refused is not None
    assert refused.failure.code == code


def test_other_database_errors_raised() -> None:
    assert database_errors.error_for(ValueError("x")) is None
    assert (
        database_errors.error_for(OperationalError("no such table: palio_user")) is None
        or connection.vendor != "sqlite"
    )
