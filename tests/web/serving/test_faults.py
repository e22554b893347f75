"""What goes wrong while people submit, against the real thing: `palio serve` with two processes, on a port.

Killed servers are in test_upload_restart.py and tests/web/controller; full disks in tests/web/verbs/test_disk_full.py
and tests/web/http/test_database_errors.py, where no process can leave its small disk.
"""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from tests.bundles import YAML, write_bundle
from tests.web.serving.running import SQLITE_ONLY, Running, environment, running
from tests.web.submission_files import context_zip
from tests.web.tus import VERSION, announcing, appending

from palio.client import Connection
from palio.client.publishing import publish
from palio.core.errors import PalioError

CHUNK = 2048
SET_UP = """
import json, sys
from pathlib import Path
import django
django.setup()
from palio.web.access.tokens import SCOPES
from palio.web.storage.bundles import current_bundle
from palio.web.models import User
from palio.web.verbs.joining import join, terms_of
from palio.web.verbs.publish import publish
from palio.web.verbs.tokens import make_token
alice, bob = (User.objects.create_user(name, password=f"{name}-long-password") for name in ("alice", "bob"))
for slug, bundle in json.loads(sys.argv[1]).items():
    challenge = publish(Path(bundle), actor=alice, slug=slug).challenge
    join(challenge, bob, terms_digest=terms_of(current_bundle(challenge)).digest)
print(json.dumps({user.username: make_token(user, "t", SCOPES, days=1)[1] for user in (alice, bob)}))
"""


class Faults:
    """A platform with challenges `open`, `closing` and `once`, in which one may submit once a day."""

    def __init__(self, platform: Running, secrets: Mapping[str, str]) -> None:
        self.platform, self.secrets = platform, secrets

    def connection(self, name: str = "bob") -> Connection:
        """Which asks nothing twice, so that each answer is seen."""
        return Connection(self.platform.address, self.secrets[name], pauses_s=())

    def send(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> requests.Response:
        signed = {"Authorization": f"Bearer {self.secrets['bob']}", **headers}
        return requests.request(method, f"{self.platform.address}{address}", headers=signed, data=body, timeout=60)

    def announce(self, challenge: str, content: bytes) -> str:
        """The address of the upload."""
        answer = self.send("POST", f"/api/v1/challenges/{challenge}/uploads", announcing(content))
        return answer.headers["Location"]

    def offset(self, upload: str) -> int:
        return int(self.send("HEAD", upload, VERSION).headers["Upload-Offset"])

    def append(self, upload: str, chunk: bytes, checked: bytes | None = None) -> requests.Response:
        return self.send("PATCH", upload, appending(self.offset(upload), checked), chunk)

    def complete(self, upload: str, content: bytes) -> str:
        """Sends what is missing; the id of the file that it becomes."""
        if rest := content[self.offset(upload) :]:
            assert self.append(upload, rest).status_code == 204
        return str(self.connection().post(f"{upload.removeprefix('/api/v1')}/complete")["id"])

    def upload(self, challenge: str, content: bytes) -> str:
        return self.complete(self.announce(challenge, content), content)

    def submit(self, challenge: str, file: str) -> str:
        """Its id; or the code of the refusal."""
        try:
            return str(self.connection().post(f"/challenges/{challenge}/submit", {"file": file})["id"])
        except PalioError as error:
            return error.failure.code

    def submissions(self, challenge: str) -> list[str]:
        return [each["id"] for each in self.connection().all_of(f"/challenges/{challenge}/submissions")]


def bundle(folder: Path, phase: str = "", version: str = "first") -> Path:
    yaml = YAML.replace("    start: 2026-01-01\n", f"    start: 2026-01-01\n{phase}")
    return write_bundle(folder, yaml=yaml.replace("small enough to read", f"small enough to read, {version}"))


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    home = tmp_path_factory.mktemp("faults")
    bundles = {
        "open": bundle(home / "open"),
        "closing": bundle(home / "closing"),
        "once": bundle(home / "once", "    max_submissions_per_day: 1\n"),
    }
    with running(home / "data", "--pages-only", "--workers", "2") as platform:
        command = [sys.executable, "-c", SET_UP, json.dumps(bundles, default=str)]
        setting = environment(PALIO_DATA=str(home / "data"), DJANGO_SETTINGS_MODULE="palio.web.settings")
        made = subprocess.run(command, env=setting, capture_output=True, text=True, check=True)
        yield Faults(platform, json.loads(made.stdout))


def test_invalid_token_refused(faults: Faults) -> None:
    for method, path in (("GET", "/me"), ("GET", "/challenges"), ("POST", "/challenges/open/uploads")):
        for token in ("palio_wrong", faults.secrets["bob"][:-1], f"{faults.secrets['bob']}x"):
            headers = {"Authorization": f"Bearer {token}"}
            answer = requests.request(method, f"{faults.platform.address}/api/v1{path}", headers=headers, timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (401, "token-refused")


def test_chunk_wrong_checksum(faults: Faults) -> None:
    content = context_zip(extra=b"wrong hash" * 1000)
    upload = faults.announce("open", content)
    assert faults.append(upload, content[:CHUNK]).status_code == 204
    answer = faults.append(upload, content[CHUNK:], checked=b"something else")
    assert (answer.status_code, answer.json()["code"]) == (460, "checksum-differs")
    assert faults.offset(upload) == CHUNK
    assert faults.complete(upload, content)


def test_same_zip_twice(faults: Faults) -> None:
    content = context_zip(extra=b"twice" * 1000)
    file = faults.upload("open", content)
    again = faults.announce("open", content)
    assert (faults.offset(again), faults.complete(again, content)) == (len(content), file)
    first = faults.submit("open", file)
    assert faults.submit("open", file) == "submission-running"
    faults.connection().post(f"/submissions/{first}/cancel")
    second = faults.connection().post("/challenges/open/submit", {"file": file})
    assert second["id"] != first
    assert [note.partition(",")[0] for note in second["notes"]] == ["this file was submitted to this phase before"]
    faults.connection().post(f"/submissions/{second['id']}/cancel")


def test_last_submission_concurrent(faults: Faults) -> None:
    """Of which two processes each answer some."""
    files = [faults.upload("once", context_zip(extra=b"%d" % number)) for number in range(6)]
    together = threading.Barrier(len(files))

    def browser(file: str) -> str:
        together.wait()
        return faults.submit("once", file)

    with ThreadPoolExecutor(len(files)) as pool:
        answers = sorted(pool.map(browser, files))
    (through,) = faults.submissions("once")
    assert sorted(answers) == sorted([through, *["quota-exhausted-today"] * 5])


def test_deadline_during_upload_keeps_file(faults: Faults, tmp_path: Path) -> None:
    """What counts is the moment of submitting; nothing that was sent has to be sent again."""
    content = context_zip(extra=b"deadline" * 1000)
    upload = faults.announce("closing", content)
    assert faults.append(upload, content[:CHUNK]).status_code == 204
    end = datetime.now(UTC) + timedelta(seconds=3)
    closing = bundle(tmp_path / "closing", f"    end: {end:%Y-%m-%dT%H:%M:%SZ}\n", "second")
    publish(faults.connection("alice"), closing, slug="closing")
    while datetime.now(UTC) < end:
        time.sleep(0.1)
    file = faults.complete(upload, content)
    assert faults.submit("closing", file) == "phase-closed"
    assert [each["id"] for each in faults.connection().all_of("/challenges/closing/files")] == [file]
    publish(faults.connection("alice"), bundle(tmp_path / "longer", version="third"), slug="closing")
    assert faults.submissions("closing") == []
    assert [faults.submit("closing", file)] == faults.submissions("closing")


@SQLITE_ONLY
def test_sqlite_busy_waits(faults: Faults) -> None:
    file = faults.upload("open", context_zip(extra=b"busy"))
    holder = sqlite3.connect(faults.platform.data / "palio.sqlite3", isolation_level=None, timeout=60)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(faults.submit, "open", file)
        time.sleep(2)
        assert not answer.done()
        holder.execute("ROLLBACK")
        assert answer.result(60) in faults.submissions("open")
    holder.close()
