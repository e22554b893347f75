"""Uploads: chunks, interruptions, limits, completion and expiry."""

import hashlib
import io
import os
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.http import UnreadablePostError
from django.utils import timezone
from pytest_django.fixtures import Settings
from tests.web.submission_files import RESULTS, below, context_zip, digest
from tests.web.submitting import announce, send, upload
from tests.web.world import World

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.web.config.data_folder import Folders
from palio.web.models import StoredFile, Upload
from palio.web.storage.bundles import current_bundle
from palio.web.storage.files import file_path
from palio.web.storage.upload_folder import UploadFolder, plain_name
from palio.web.verbs.complete_upload import complete_upload, for_phase
from palio.web.verbs.receive_chunk import Checksum, append_chunk
from palio.web.verbs.uploads import MOST_UNFINISHED, abandon_upload, begin_upload, offset_of, remove_abandoned

CONTENT = context_zip(extra=bytes(range(256)) * 40)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Settings) -> Folders:
    """A data folder of its own, so that everything in it is this test's."""
    own = Folders(tmp_path / "data")
    own.make()
    settings.FOLDERS = own
    return own


def refusal(error: pytest.ExceptionInfo[PalioError]) -> tuple[str, int]:
    return error.value.code, error.value.status


def test_upload_complete(world: World, folders: Folders) -> None:
    file = upload(world.team, world.bob, CONTENT)
    assert (file.team, file.name, file.kind, file.size_bytes) == (world.team, "model.zip", "context", len(CONTENT))
    assert file_path(folders, file.sha256).read_bytes() == CONTENT
    assert below(folders.uploads) == []


def test_upload_created_again_resumes(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT, until=3000)
    again = announce(world.team, world.bea, CONTENT)  # a team mate, elsewhere
    assert (again.pk, offset_of(again)) == (coming.pk, 3000)
    assert announce(world.rivals, world.carol, CONTENT).pk != coming.pk


def test_upload_known_file_sends_nothing(world: World) -> None:
    file = upload(world.team, world.bob, CONTENT)
    assert announce(world.team, world.bea, CONTENT, "other.zip").file == file
    assert announce(world.rivals, world.carol, CONTENT).file is None  # knowing a digest is not having the file


def test_chunk_wrong_checksum(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT, until=1000)
    right = Checksum("sha1", hashlib.sha1(CONTENT[1000:3000], usedforsecurity=False).digest())
    with pytest.raises(PalioError) as error:
        append_chunk(coming, 1000, 2000, io.BytesIO(CONTENT[1000:2999] + b"?"), right)
    assert refusal(error) == ("checksum-differs", 460)
    assert offset_of(coming) == 1000
    append_chunk(coming, 1000, 2000, io.BytesIO(CONTENT[1000:3000]), right)
    send(coming, CONTENT)
    assert complete_upload(coming, world.bob).sha256 == digest(CONTENT)


class _Dropped(io.BytesIO):
    """A connection that breaks after its first bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise UnreadablePostError("gone")
        return super().read(100)


def test_chunk_connection_lost(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    append_chunk(coming, 0, 1000, _Dropped(CONTENT))
    assert offset_of(coming) == 100
    with pytest.raises(PalioError) as error:
        append_chunk(coming, 100, 1000, _Dropped(CONTENT[100:]), Checksum("sha256", bytes.fromhex(digest(CONTENT))))
    assert (refusal(error), offset_of(coming)) == (("checksum-differs", 460), 100)


@pytest.mark.parametrize("offset", [0, 999, 1001, len(CONTENT)])
def test_chunk_wrong_offset(world: World, offset: int) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT, until=1000)
    with pytest.raises(PalioError) as error:
        append_chunk(coming, offset, 10, io.BytesIO(bytes(10)))
    assert refusal(error) == ("offset-differs", 409)
    assert offset_of(coming) == 1000


def test_chunk_beyond_declared_size(world: World) -> None:
    coming, stream = announce(world.team, world.bob, CONTENT), io.BytesIO(bytes(20))
    send(coming, CONTENT, until=len(CONTENT) - 10)
    with pytest.raises(PalioError) as error:
        append_chunk(coming, len(CONTENT) - 10, 11, stream)
    assert refusal(error) == ("upload-exceeded", 413)
    assert stream.tell() == 0


def test_chunk_reads_declared_length_only(world: World) -> None:
    coming, stream = announce(world.team, world.bob, CONTENT), io.BytesIO(CONTENT + b"more")
    append_chunk(coming, 0, 10, stream)
    assert (stream.tell(), offset_of(coming)) == (10, 10)


def test_chunk_concurrent(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    with UploadFolder.of(coming).alone(), pytest.raises(PalioError) as error:
        send(coming, CONTENT)
    assert refusal(error) == ("upload-locked", 423)


def test_complete_bytes_missing(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT, until=len(CONTENT) - 1)
    with pytest.raises(PalioError) as error:
        complete_upload(coming, world.bob)
    assert refusal(error) == ("upload-incomplete", 409)
    assert f"{len(CONTENT) - 1:,} of {len(CONTENT):,} bytes" in error.value.failure.message
    send(coming, CONTENT)
    assert complete_upload(coming, world.bob).sha256 == digest(CONTENT)


def test_complete_digest_differs(world: World, folders: Folders) -> None:
    coming = begin_upload(world.team, world.bob, name="m.zip", size_bytes=len(CONTENT), sha256="0" * 64)
    send(coming, CONTENT)
    with pytest.raises(PalioError) as error:
        complete_upload(coming, world.bob)
    assert refusal(error) == ("upload-damaged", 422)
    assert "SHA-256" in error.value.failure.message
    assert (Upload.objects.count(), StoredFile.objects.count(), below(folders.root / "uploads")) == (0, 0, [])


def test_complete_twice(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT)
    assert complete_upload(coming, world.bob) == complete_upload(Upload.objects.get(pk=coming.pk), world.bea)


def test_complete_after_kill(world: World, folders: Folders) -> None:
    """Its bytes are in the store already, and the rows know nothing of it."""
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT)
    place = file_path(folders, digest(CONTENT))
    place.parent.mkdir()
    os.link(folders.uploads / coming.pk / "file/model.zip", place)
    assert complete_upload(coming, world.bob).sha256 == digest(CONTENT)
    assert below(folders.uploads) == []


def test_complete_unbuildable(world: World, folders: Folders) -> None:
    content = context_zip(dockerfile="FROM x\nCOPY weights.pt /opt/\n")
    with pytest.raises(PalioError) as error:
        upload(world.team, world.bob, content)
    assert error.value.failure.code == "dockerfile-unfit"
    assert error.value.failure.evidence == (
        "the Dockerfile, line 2 (COPY weights.pt /opt/): weights.pt does not exist",
    )
    assert (StoredFile.objects.count(), below(folders.uploads), below(folders.store)) == (0, [], [])


def test_complete_other_kind_without_upload(world: World) -> None:
    content = context_zip().replace(b"Dockerfile", b"Xockerfile")
    coming = announce(world.team, world.bob, content)
    send(coming, content)
    with pytest.raises(PalioError) as error:
        complete_upload(coming, world.bob)
    assert error.value.failure.code == "submission-fits-none"
    assert complete_upload(coming, world.bob, SubmissionKind.RESULTS).kind == "results"


def test_complete_wrong_kind(world: World) -> None:
    upload(world.team, world.bob, CONTENT)
    with pytest.raises(PalioError) as error:
        complete_upload(announce(world.team, world.bob, CONTENT), world.bob, SubmissionKind.RESULTS)
    assert refusal(error) == ("file-kind-differs", 409)


def zipped(**content: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in content.items():
            archive.writestr(name.replace("_", "."), data)
    return whole.getvalue()


def test_complete_kind_by_phase(world: World) -> None:
    phase = current_bundle(world.challenge).phases[0]
    only_results = replace(phase, rules=replace(phase.rules, submissions=(SubmissionKind.RESULTS,)))
    content = zipped(answers_csv=RESULTS, how_py=b"print()")
    coming = announce(world.team, world.bob, content)
    send(coming, content)
    with pytest.raises(PalioError) as error:
        complete_upload(coming, world.bob)
    assert error.value.failure.code == "submission-fits-none"
    assert complete_upload(coming, world.bob, phase=only_results).kind == "results"


def test_complete_kind_for_other_phase(world: World) -> None:
    phase = current_bundle(world.challenge).phases[0]
    of_code = replace(phase, rules=replace(phase.rules, submissions=(SubmissionKind.CODE,)))
    content = zipped(answers_txt=RESULTS)
    file = upload(world.team, world.bob, content)
    assert file.kind == "results"
    assert for_phase(file, of_code).kind == "code"
    assert StoredFile.objects.get().kind == "code"
    assert for_phase(file, phase).kind == "results"


def test_complete_lfs_pointers(world: World) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    with pytest.raises(PalioError) as error:
        upload(world.team, world.bob, context_zip(extra=pointer.encode()))
    assert (error.value.failure.code, error.value.failure.evidence) == ("lfs-pointers", ("extra.bin",))


@pytest.mark.parametrize(
    ("size_bytes", "sha256", "code"),
    [
        (0, "0" * 64, ("file-empty", 422)),
        (21 * 2**30, "0" * 64, ("file-too-large", 413)),
        (100, "xyz", ("digest-invalid", 422)),
        (100, "A" * 64, ("digest-invalid", 422)),
    ],
)
def test_upload_creation_invalid(world: World, size_bytes: int, sha256: str, code: tuple[str, int]) -> None:
    with pytest.raises(PalioError) as error:
        begin_upload(world.team, world.bob, name="m.zip", size_bytes=size_bytes, sha256=sha256)
    assert refusal(error) == code


def test_upload_creation_too_many_unfinished(world: World) -> None:
    for number in range(MOST_UNFINISHED):
        announce(world.team, world.bob, b"%d" % number)
    with pytest.raises(PalioError) as error:
        announce(world.team, world.bob, CONTENT)
    assert refusal(error) == ("uploads-unfinished", 429)
    announce(world.rivals, world.carol, CONTENT)


def test_upload_creation_disk_space(world: World, settings: Settings) -> None:
    from dataclasses import replace

    settings.CONFIGURATION = replace(settings.CONFIGURATION, max_upload_gib=1024 * 1024.0)
    with pytest.raises(PalioError) as error:
        begin_upload(world.team, world.bob, name="m.zip", size_bytes=2**49, sha256="0" * 64)
    assert refusal(error) == ("storage-full", 507)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("model.zip", "model.zip"),
        ("../../etc/passwd", "passwd"),
        ("C:\\models\\a.zip", "a.zip"),
        ("", "submission"),
        ("..", "submission"),
        (".hidden.zip", "hidden.zip"),
        ("a\x00b\n.zip", "a_b_.zip"),
        ("\ud800.zip", "?.zip"),
    ],
)
def test_plain_name(given: str, name: str) -> None:
    assert plain_name(given) == name


def test_plain_name_too_long() -> None:
    name = plain_name("é" * 300 + ".tar.gz")
    assert len(name.encode()) <= 200
    assert name.endswith(".gz")


def test_abandoned_uploads_removed(world: World, folders: Folders) -> None:
    old, new = announce(world.team, world.bob, CONTENT), announce(world.rivals, world.carol, CONTENT)
    send(old, CONTENT, until=10)
    send(new, CONTENT, until=10)
    (folders.uploads / "form-left").mkdir()
    later = timezone.now() + timedelta(hours=25)
    Upload.objects.filter(pk=old.pk).update(created=timezone.now() - timedelta(days=3))
    assert remove_abandoned() == 0  # bytes came in just now
    for path in (folders.uploads / new.pk, *(folders.uploads / new.pk).rglob("*")):
        os.utime(path, (later.timestamp(), later.timestamp()))
    assert remove_abandoned(later) == 2
    assert [each.pk for each in Upload.objects.all()] == [new.pk]
    assert [path.name for path in folders.uploads.iterdir()] == [new.pk]


def test_abandon_after_completion(world: World, folders: Folders) -> None:
    file = upload(world.team, world.bob, CONTENT)
    abandon_upload(Upload.objects.get(file=file))
    assert file_path(folders, file.sha256).is_file()


@pytest.mark.django_db(transaction=True)
def test_uploads_concurrent(world: World) -> None:
    def one(number: int) -> str:
        try:
            content = RESULTS + b"%d.txt,no\n" % number
            team, user = (world.team, world.bob) if number % 2 else (world.rivals, world.carol)
            return upload(team, user, content, f"answers-{number}.csv").sha256
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        kept = list(pool.map(one, range(20)))
    assert kept == [digest(RESULTS + b"%d.txt,no\n" % number) for number in range(20)]
    assert set(StoredFile.objects.values_list("sha256", flat=True)) == set(kept)


@pytest.mark.django_db(transaction=True)
def test_complete_concurrent(world: World) -> None:
    coming = announce(world.team, world.bob, CONTENT)
    send(coming, CONTENT)
    start, ended = threading.Barrier(4), []

    def complete() -> None:
        start.wait()
        try:
            ended.append(complete_upload(Upload.objects.get(pk=coming.pk), world.bob).pk)
        except PalioError as refused:
            ended.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=complete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file = StoredFile.objects.get()
    assert set(ended) <= {file.pk, "upload-locked"}
    assert file.pk in ended
