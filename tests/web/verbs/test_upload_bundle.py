"""Bundles that arrive as zips."""

import shutil
import zipfile
from pathlib import Path

import pytest
from tests.web.world import World

from palio.core.errors import PalioError
from palio.web.verbs.publish import publish
from palio.web.verbs.upload_bundle import publish_archive


def packed(folder: Path, target: Path) -> Path:
    return Path(shutil.make_archive(str(target / "bundle"), "zip", folder))


def failure(archive: Path, world: World) -> PalioError:
    with pytest.raises(PalioError) as caught:
        publish_archive(archive, "C:\\mine\\bundle.zip", actor=world.olga)
    return caught.value


def test_publish_archive_same_as_folder(world: World, small_bundle: Path, tmp_path: Path) -> None:
    done = publish_archive(packed(small_bundle, tmp_path), "vowels.zip", actor=world.olga)
    assert done.is_new
    assert publish(small_bundle, actor=world.olga) == done.version


def test_publish_archive_faulty_without_host_paths(world: World, small_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(small_bundle, tmp_path / "vowels")
    (folder / "overview.md").unlink()
    error = failure(packed(folder, tmp_path), world)
    assert error.failure.message == "bundle has 1 problem."
    assert error.failure.next_step == "Fix what is listed, then run `palio check bundle` again."
    assert error.failure.evidence == (
        "competition.yaml:9: pages[0].file: is `overview.md`, which is not in the bundle",
    )


def test_publish_archive_not_a_zip(world: World, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("hello")
    error = failure(tmp_path / "x.zip", world)
    assert error.failure.code == "folder-unreadable"
    assert "bundle.zip cannot be used: it cannot be read as a zip archive" in error.failure.message


def test_publish_archive_path_traversal(world: World, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../up.txt", "x")
    error = failure(tmp_path / "x.zip", world)
    assert error.failure.evidence == ("../up.txt: leaves the folder (..)",)


def test_publish_archive_without_competition_yaml(world: World, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    assert failure(tmp_path / "x.zip", world).failure.message == (
        "bundle is not a challenge: it has no competition.yaml."
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Vowels", 'title: "\\ud800"'),
        ("title: Vowels", 'title: "a\\0b"'),
        ("title: Overview", 'title: "\\udfff"'),
        ("version: 2", "version: 2\nextra: " + "[" * 100_000),
        ("version: 2", "version: 2\nextra: {" + "? {" * 20_000),
        ("name: Final", "name: !!python/object/apply:os.system [id]"),
    ],
)
def test_publish_archive_odd_yaml(world: World, small_bundle: Path, tmp_path: Path, old: str, new: str) -> None:
    folder = shutil.copytree(small_bundle, tmp_path / "vowels")
    (folder / "competition.yaml").write_text((folder / "competition.yaml").read_text().replace(old, new))
    error = failure(packed(folder, tmp_path), world)
    assert error.failure.cause == "organizer"
    assert error.failure.code == "bundle-invalid"
    assert str(tmp_path) not in str(error.failure)
    assert "/bundles/" not in str(error.failure)
