"""A platform whose submitted files are in a bucket, as its operator and participants meet it."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import write_bundle
from tests.conftest import lacking
from tests.web.serving.running import environment, palio, running
from tests.web.serving.test_upload_restart import SET_UP
from tests.web.storage.services import Service, program, s3
from tests.web.submission_files import context_zip

from palio.client import Connection
from palio.client.submitting import submit
from palio.client.uploading import upload_file
from palio.core.errors import PalioError


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    if program("moto_server") is None:
        lacking("moto is not installed (make setup)")
    with s3() as started:
        yield started


def joined(data: Path, bundle: Path, given: dict[str, str]) -> str:
    """Publishes the challenge on the platform; returns the token of a participant."""
    setting = environment(**given, PALIO_DATA=str(data), DJANGO_SETTINGS_MODULE="palio.web.settings")
    command = [sys.executable, "-c", SET_UP, str(bundle)]
    return subprocess.run(command, env=setting, capture_output=True, text=True, check=True).stdout.strip()


def wait_for_end(connection: Connection, submission: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while True:
        found: dict[str, Any] = connection.get(f"/submissions/{submission}")
        if found["state"] in ("scored", "failed", "cancelled"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


@pytest.mark.bubblewrap
def test_upload_evaluate_back_up_and_restore_with_a_bucket(service: Service, tmp_path: Path) -> None:
    given = service.environment | {
        "PALIO_STORE_URL": service.url,
        "PALIO_ENGINE": "bubblewrap",
        "PALIO_ANYONE_ON_BUBBLEWRAP": "true",
    }
    data, path = tmp_path / "data", tmp_path / "model.zip"
    path.write_bytes(context_zip(extra=os.urandom(20_000_000)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with running(data, **given) as started:
        token = joined(data, write_bundle(tmp_path / "vowels"), given)
        connection = Connection(started.address, token)
        file = upload_file(connection, "vowels", path)
        assert not [*(data / "store").glob("??/*")]
        service.pause()  # it does not respond any more, and the evaluation waits
        submission = submit(connection, "vowels", file["id"])["id"]
        resuming = threading.Timer(3.0, service.resume)
        resuming.start()
        ended = wait_for_end(connection, submission)
        resuming.join()
        assert ended["state"] == "scored", ended
        assert not [*data.glob("runs/*/.work")]
        saved = palio("backup", tmp_path / "palio.tar", "--data", data, **given)
        assert saved.returncode == 0, saved.stderr
        assert service.secret not in started.said
    with tarfile.open(tmp_path / "palio.tar") as archive:
        kept = archive.extractfile(f"palio-data/store/{digest[:2]}/{digest}")
        assert kept is not None
        assert hashlib.sha256(kept.read()).hexdigest() == digest
    here = palio("restore", tmp_path / "palio.tar", "--data", tmp_path / "here")
    assert here.returncode == 0, here.stderr
    assert (tmp_path / "here/store" / digest[:2] / digest).read_bytes() == path.read_bytes()
    elsewhere = given | {"PALIO_STORE_URL": "s3://bucket/another"}
    there = palio("restore", tmp_path / "palio.tar", "--data", tmp_path / "there", **elsewhere)
    assert there.returncode == 0, there.stderr
    assert not [*(tmp_path / "there/store").glob("??/*")]
    with running(tmp_path / "there", "--pages-only", **elsewhere) as successor:
        again = upload_file(Connection(successor.address, token), "vowels", path)
        assert again["sha256"] == digest


def test_upload_kept_while_the_bucket_is_unreachable(service: Service, tmp_path: Path) -> None:
    given = service.environment | {"PALIO_STORE_URL": service.url}
    data, path = tmp_path / "data", tmp_path / "model.zip"
    path.write_bytes(context_zip(extra=b"of this test"))
    with running(data, "--pages-only", **given) as started:
        connection = Connection(started.address, joined(data, write_bundle(tmp_path / "vowels"), given), pauses_s=())
        service.stop()
        with pytest.raises(PalioError) as error:
            upload_file(connection, "vowels", path)
        assert error.value.code == "store-unreachable"
        assert [*data.glob("uploads/*/file/*")] != []
        service.restart()
        file = upload_file(connection, "vowels", path)  # only completed, as its bytes are there
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert service.secret not in started.said


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://nothing", "The file store s3://nothing cannot be used: there is no such bucket or container."),
        ("s3://bucket", "cannot be reached: no connection could be made."),
    ],
)
def test_unusable_bucket_refused_at_the_start(service: Service, tmp_path: Path, url: str, says: str) -> None:
    given = service.environment | {"PALIO_STORE_URL": url}
    if url == "s3://bucket":
        given |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    started = palio("serve", "--data", tmp_path / "data", **given)
    assert (started.returncode, says in started.stderr) == (12, True), started.stderr
    found = palio("doctor", "--json", **given)
    assert found.returncode == 12
    (store,) = [each for each in json.loads(found.stdout)["findings"] if each["subject"] == "File store"]
    assert (store["fine"], says.rstrip(".") in store["text"]) == (False, True)
    assert all(service.secret not in each for each in (started.stderr, found.stdout, found.stderr))


def test_doctor_finds_a_usable_bucket(service: Service) -> None:
    found = palio("doctor", "--json", **service.environment, PALIO_STORE_URL=service.url)
    (store,) = [each for each in json.loads(found.stdout)["findings"] if each["subject"] == "File store"]
    assert store["fine"], store
