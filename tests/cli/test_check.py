import json
import zipfile
from pathlib import Path

import pytest
from tests.bundles import write_bundle

from palio.cli import main


def test_check_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_bundle(tmp_path / "b"))]) == 0
    assert capsys.readouterr().out == "Vowels\n  No problems found.\n\nThis bundle can be used.\n"


def test_check_hidden_data_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    (bundle / "reference_data/answers.csv").unlink()
    assert main(["check", str(bundle), "--json"]) == 11
    report = json.loads(capsys.readouterr().out)
    assert (report["sound"], len(report["errors"]), report["self_test"]) == (False, 1, [])
    assert "reference_data" in report["errors"][0]


def zipped(folder: Path, target: Path, top: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, top + path.relative_to(folder).as_posix())
    return target


def test_check_zip_works_like_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    assert main(["check", str(bundle), "--json"]) == 0
    of_folder = json.loads(capsys.readouterr().out)
    assert main(["check", str(zipped(bundle, tmp_path / "b.zip")), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == of_folder


def test_check_zip_with_leftovers_and_a_top_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(write_bundle(tmp_path / "b"), tmp_path / "b.zip", "b/")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("__MACOSX/b/._competition.yaml", "junk")
    assert main(["check", str(archive), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 2


def test_check_zip_names_the_zip_and_not_its_temporary_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "b")
    (bundle / "competition.yaml").write_text("version: 2\n")
    archive = zipped(bundle, tmp_path / "b.zip")
    assert main(["check", str(archive)]) == 11
    told = capsys.readouterr().err
    assert f"palio check {archive}" in told
    assert "palio-bundle-" not in told


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_check_zip_that_is_unsafe(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(write_bundle(tmp_path / "b"), tmp_path / "b.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(name, "")
    assert main(["check", str(archive)]) == 11
    assert "folder-unreadable" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip"])
def test_check_zip_that_is_broken(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    assert main(["check", str(tmp_path / "b.zip")]) == 11
    assert "folder-unreadable" in capsys.readouterr().err
