"""The folder as file store, and files of the store that belong to nobody."""

import errno
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from tests.web.submission_files import context_zip, digest
from tests.web.submitting import stored
from tests.web.world import World

from palio.core.errors import PalioError
from palio.web.config.data_folder import Folders
from palio.web.storage.files import FolderStore, current_store, file_path, open_store
from palio.web.verbs.files import delete_file, remove_orphans

CONTENT = context_zip()


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Settings) -> Folders:
    own = Folders(tmp_path / "data")
    own.make()
    settings.FOLDERS = own
    return own


def complete(folders: Folders, content: bytes = CONTENT) -> Path:
    path = folders.uploads / "complete"
    path.write_bytes(content)
    return path


def test_keep_links_and_leaves_the_upload(folders: Folders) -> None:
    store, path = open_store("", folders), complete(folders)
    store.keep(path, digest(CONTENT))
    place = file_path(folders, digest(CONTENT))
    assert place.samefile(path)
    assert place.stat().st_mode & 0o777 == 0o444
    assert (store.has(digest(CONTENT)), b"".join(store.blocks(digest(CONTENT)))) == (True, CONTENT)
    assert store.local(digest(CONTENT), folders.root / "nowhere") == place
    assert [(each.sha256, each.size_bytes) for each in store.listed()] == [(digest(CONTENT), len(CONTENT))]
    store.remove(digest(CONTENT))
    store.remove(digest(CONTENT))
    assert not store.has(digest(CONTENT))
    with pytest.raises(FileNotFoundError):
        store.local(digest(CONTENT), folders.root)


def test_existing_file_not_replaced(folders: Folders) -> None:
    store = open_store("", folders)
    store.keep(complete(folders), digest(CONTENT))
    before = file_path(folders, digest(CONTENT)).stat().st_ino
    (folders.uploads / "complete").unlink()
    store.keep(complete(folders, b"other"), digest(CONTENT))
    assert file_path(folders, digest(CONTENT)).stat().st_ino == before
    assert file_path(folders, digest(CONTENT)).read_bytes() == CONTENT


def test_upload_on_another_file_system_copied(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def refuse(source: Path, target: Path) -> None:
        if source.parent == folders.uploads:
            raise OSError(errno.EXDEV, "another file system")
        link(source, target)

    monkeypatch.setattr("os.link", refuse)
    store, path = FolderStore(folders), complete(folders)
    store.keep(path, digest(CONTENT))
    store.keep(path, digest(CONTENT))
    assert b"".join(store.blocks(digest(CONTENT))) == CONTENT
    assert not file_path(folders, digest(CONTENT)).samefile(path)
    assert [*(folders.store / ".parts").iterdir()] == []


def test_orphans_removed_after_a_day(world: World, folders: Folders) -> None:
    kept, nobodys = stored(world.team, world.bob), digest(b"nobody's")
    store = current_store()
    store.keep(complete(folders, b"nobody's"), nobodys)
    store.keep(complete(folders, CONTENT), kept.sha256)
    assert remove_orphans() == 0
    assert store.has(nobodys)
    assert remove_orphans(timezone.now() + timedelta(days=2)) == 1
    assert (store.has(nobodys), store.has(kept.sha256)) == (False, True)


def test_file_deleted_while_the_store_is_unreachable_goes_later(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = stored(world.team, world.bob)

    def refuse(self: FolderStore, sha256: str) -> None:
        raise PalioError("store-unreachable", store="s3://bucket", reason="it did not respond in time")

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "remove", refuse)
        delete_file(file, world.bob)
    file.refresh_from_db()
    assert file.deleted is not None
    assert current_store().has(file.sha256)
    assert "it is removed later" in caplog.text
    assert remove_orphans(timezone.now() + timedelta(days=2)) == 1
    assert not current_store().has(file.sha256)
