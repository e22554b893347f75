import json
import zipfile
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle

from palio.cli import main


def test_check_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_bundle(tmp_path / "b"))]) == 0
    shown = capsys.readouterr().out  # and in between, the images on this machine
    assert shown.startswith("Vowels\n  No problems found.\n")
    assert shown.endswith("\nThis bundle can be used.\n")


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


@pytest.mark.parametrize("name", ["input_data/two.txt", "scoring_program/score.py"])
def test_check_zip_whose_bytes_are_damaged(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    content = (bundle / name).read_bytes()
    archive = zipped(bundle, tmp_path / "b.zip")
    archive.write_bytes(archive.read_bytes().replace(content, content.swapcase(), 1))
    assert main(["check", str(archive)]) == 11
    assert "folder-unreadable" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pointed", "written"),
    [("input_data", "input_data"), ("input_data/deep", "input_data"), ("input_data", "input_data.zip")],
)
def test_check_zip_data_problems(
    tmp_path: Path, pointed: str, written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml = YAML.replace("input_data: input_data", f"input_data: {written}")
    yaml = yaml.replace("palio:\n", "palio:\n  sample: {input: input_data/sample, expect: reference_data}\n")
    bundle = write_bundle(tmp_path / "b", yaml=yaml)
    for folder in (pointed, "input_data/__pycache__", "input_data/sample"):
        (bundle / folder).mkdir(exist_ok=True)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 123456\n"
    (bundle / pointed / "patient7.txt").write_text(pointer)
    (bundle / "input_data/__pycache__/other.txt").write_text(pointer)
    (bundle / "input_data/sample/patient8.txt").write_text("patient8")
    assert main(["check", str(bundle), "--json"]) == 11
    of_folder = json.loads(capsys.readouterr().out)
    assert len(of_folder["errors"]) == 1
    assert "patient8" in str(of_folder["warnings"])
    assert main(["check", str(zipped(bundle, tmp_path / "b.zip")), "--json"]) == 11
    assert json.loads(capsys.readouterr().out) == of_folder


def test_check_zip_duplicate_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(write_bundle(tmp_path / "b"), tmp_path / "b.zip")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(archive, "a") as file:
        file.writestr("terms.md", "Other terms.\n")
    assert main(["check", str(archive), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1


def test_check_zip_with_leftovers_and_a_top_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(write_bundle(tmp_path / "b"), tmp_path / "b.zip", "b/")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("__MACOSX/b/._competition.yaml", "junk")
    assert main(["check", str(archive), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 2


def test_check_zip_problem_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
