import json
import shutil
from pathlib import Path

import pytest
from tests import ordinary_user
from tests.conftest import lacking

from palio.cli import main
from palio.core.bundle.read import read_bundle
from palio.data import templates
from palio.data.templates import TASKS


def test_new_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "deep/er/bone-age"
    assert main(["new", str(target), "--task", "regression", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    files = sum(path.is_file() for path in target.rglob("*"))
    assert report == {"path": str(target), "task": "regression", "title": "Bone age", "files": files}


@pytest.mark.parametrize("title", ['A: "b" #c', "{{start}} & [x](y)", "é\u2028\tü", "- - 'it'"])
def test_new_any_title(title: str, tmp_path: Path) -> None:
    created = templates.create_challenge(tmp_path / "x", "regression", title)
    assert read_bundle(tmp_path / "x").title == created.title


def test_new_in_this_folder_if_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    assert main(["new", "."]) == 0
    assert (tmp_path.stat().st_ino, read_bundle(tmp_path).warnings) == (before, ())


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, the code and the message of a command that is refused."""
    exit_code = main(["new", *arguments, "--json"])
    failure = json.loads(capsys.readouterr().out)["failure"]
    return exit_code, failure["code"], failure["message"]


def test_new_folder_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert refusal(capsys, str(tmp_path))[:2] == (2, "target-not-empty")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("below", ["file", "file/x"])
def test_new_folder_is_a_file(below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert refusal(capsys, str(tmp_path / below))[:2] == (12, "target-unwritable")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("folder", ["/proc/x", "/sys/x"])
def test_new_folder_impossible(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, folder)[:2] == (12, "target-unwritable")


def test_new_without_permission() -> None:
    if not ordinary_user.needed():
        lacking("only root can become another user")
    home = Path("/tmp/palio-new-user")
    try:
        done = ordinary_user.run(home, "-m", "palio", "new", "/tmp/../x-new", "--json")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert (done.returncode, json.loads(done.stdout)["failure"]["code"]) == (12, "target-unwritable")


@pytest.mark.parametrize(
    ("task", "nearest"),
    [("clasification", "classification"), ("Segmentation", "segmentation"), ("multilabel", "multi-label"), ("?", "")],
)
def test_new_unknown_task(task: str, nearest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, code, message = refusal(capsys, str(tmp_path / "x"), "--task", task)
    assert (exit_code, code, [name for name in TASKS if name in message]) == (2, "usage", [nearest] if nearest else [])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_new_leaves_nothing_if_drawing_fails(is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x"
    if is_there:
        target.mkdir()
    monkeypatch.setattr(templates, "_MAKE_DATA", "example/missing.py")
    with pytest.raises(RuntimeError, match="missing"):
        templates.create_challenge(target, "detection")
    assert list(tmp_path.rglob("*")) == ([target] if is_there else [])
