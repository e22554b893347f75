"""Buckets as file stores: the same behaviour on S3 and on Azure Blob Storage, and a sentence for each fault."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import obstore
import pytest
from tests.web.storage.services import Service

from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.web.storage.object_store import PART_BYTES, ObjectStore, fetch_bounded

SMALL, LARGE = 1000, 3 * PART_BYTES + 17  # below and above what is put with one request
PEAK = """
import resource, sys
from pathlib import Path
from palio.web.storage.object_store import ObjectStore
store, content, digest = ObjectStore(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
store.has(digest)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store.keep(content, digest)
assert sum(map(len, store.blocks(digest))) == content.stat().st_size
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def file_of(folder: Path, size_bytes: int) -> tuple[Path, str]:
    path = folder / f"content-{size_bytes}"
    path.write_bytes(os.urandom(size_bytes))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("size_bytes", [SMALL, PART_BYTES, LARGE])
def test_keep_and_read(service: Service, tmp_path: Path, size_bytes: int) -> None:
    store, (path, digest) = ObjectStore(service.url), file_of(tmp_path, size_bytes)
    assert not store.has(digest)
    store.keep(path, digest)
    store.keep(path, digest)
    assert store.has(digest)
    assert b"".join(store.blocks(digest)) == path.read_bytes()
    assert [(each.sha256, each.size_bytes) for each in store.listed()] == [(digest, size_bytes)]
    place = store.local(digest, tmp_path / "fetched")
    assert place.read_bytes() == path.read_bytes()
    assert [*(tmp_path / "fetched").iterdir()] == [place]
    store.remove(digest)
    store.remove(digest)
    assert (store.has(digest), [*store.listed()]) == (False, [])
    with pytest.raises(FileNotFoundError):
        next(store.blocks(digest))


@pytest.mark.parametrize("size_bytes", [SMALL, LARGE])
def test_existing_file_not_replaced(service: Service, tmp_path: Path, size_bytes: int) -> None:
    store, (path, digest) = ObjectStore(service.url), file_of(tmp_path, size_bytes)
    store.keep(path, digest)
    (before,) = store.listed()
    store.keep(path, digest)
    assert [*store.listed()] == [before]
    assert not store._create(f"{digest[:2]}/{digest}", b"other")  # another process that did not look before
    assert b"".join(store.blocks(digest)) == path.read_bytes()


@pytest.mark.parametrize("size_bytes", [SMALL, LARGE])
def test_changed_upload_not_created(service: Service, tmp_path: Path, size_bytes: int) -> None:
    store, (path, digest) = ObjectStore(service.url), file_of(tmp_path, size_bytes)
    with path.open("r+b") as file:
        file.seek(size_bytes // 2)
        file.write(b"changed!")
    with pytest.raises(PalioError) as error:
        store.keep(path, digest)
    assert (error.value.code, store.has(digest)) == ("store-damaged", False)


@pytest.mark.parametrize("size_bytes", [SMALL, LARGE])
@pytest.mark.parametrize("how", ["changed", "cut off"])
def test_damaged_file_found(service: Service, tmp_path: Path, size_bytes: int, how: str) -> None:
    store, (path, digest) = ObjectStore(service.url), file_of(tmp_path, size_bytes)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    obstore.put(store._client, f"{digest[:2]}/{digest}", bytes(content if how == "changed" else content[:-1]))
    with pytest.raises(PalioError) as error:
        store.local(digest, tmp_path / "fetched")
    assert error.value.code == "store-damaged"
    assert [*(tmp_path / "fetched").iterdir()] == []
    with pytest.raises(PalioError) as error:
        fetch_bounded(service.url, digest, 60, tmp_path / "fetched")
    assert (error.value.code, [*(tmp_path / "fetched").iterdir()]) == ("store-damaged", [])


def test_memory_does_not_grow_with_the_file(service: Service, tmp_path: Path) -> None:
    path, digest = file_of(tmp_path, 300 * MIB)
    command = [sys.executable, "-c", PEAK, service.url, str(path), digest]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 150 * MIB


def test_check_finds_nothing_wrong_and_leaves_nothing(service: Service) -> None:
    store = ObjectStore(service.url)
    store.check()
    assert [*obstore.list(store._client).collect()] == []


def test_check_refuses_a_service_without_conditions(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(service.url)
    monkeypatch.setattr(store, "_create", lambda name, content: bool(obstore.put(store._client, name, content)))
    with pytest.raises(PalioError) as error:
        store.try_all()
    assert error.value.failure.message.endswith("it replaces a file although a conditional put must not.")
    assert [*obstore.list(store._client).collect()] == []


def test_missing_bucket_refused(service: Service, tmp_path: Path) -> None:
    store, (path, digest) = ObjectStore(service.url.replace("bucket", "nothing")), file_of(tmp_path, SMALL)
    for attempt in (store.check, lambda: store.keep(path, digest)):
        with pytest.raises(PalioError) as error:
            attempt()
        assert (error.value.code, "no such bucket" in str(error.value)) == ("store-refused", True)


def test_wrong_credentials_refused_and_not_shown(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if service.url.startswith("s3"):
        pytest.skip("moto accepts every key")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3JvbmcgYW5kIHNlY3JldA==")
    with pytest.raises(PalioError) as error:
        ObjectStore(service.url).check()
    assert error.value.code == "store-refused"
    assert "403" in error.value.failure.message
    assert "d3JvbmcgYW5kIHNlY3JldA==" not in str(error.value.failure.as_json())


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("az://bucket", {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "%not-base64%"}),
        ("az://bucket", {}),
        ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_KEY": "{not json"}),
    ],
)
def test_unreadable_credentials_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, url: str, given: dict[str, str]
) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PalioError) as error:
        ObjectStore(url).has("0" * 64)
    failure = error.value.failure
    assert failure.code == "store-refused"
    assert all(value not in str(failure.as_json()) for value in given.values() if len(value) > 1)


def test_stopped_service_unreachable(service: Service, tmp_path: Path) -> None:
    store, (path, digest) = ObjectStore(service.url), file_of(tmp_path, SMALL)
    service.stop()
    try:
        for attempt in (store.check, lambda: store.keep(path, digest), lambda: store.remove(digest)):
            with pytest.raises(PalioError) as error:
                attempt()
            assert (error.value.code, error.value.exit_code) == ("store-unreachable", 12)
            assert service.secret not in str(error.value.failure.as_json())
    finally:
        service.restart()
    assert store.has(digest) is False
