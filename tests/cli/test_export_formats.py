"""`palio export --design | --croissant | --ro-crate`, on files of this machine."""

import json
from pathlib import Path

import pytest
from tests.closed_bundle import write_closed_bundle
from tests.run_folders import write_run

from palio.cli import main

TIMES = {"started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:00:20+00:00"}


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_closed_bundle(tmp_path / "vowels")


def test_design_of_a_bundle(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--design", "vowels"]) == 0
    assert "left to you" in capsys.readouterr().out
    design = json.loads((tmp_path / "vowels-design.json").read_text())
    assert design["challenge_name"] == "Vowels"
    assert design["challenge_tasks"][0]["task_name"] == "Vowels"
    assert design["challenge_tasks"][0]["task_ethics_approval"] is None
    assert "(task_pulication_policy)" in (tmp_path / "vowels-design.txt").read_text()


def test_design_as_json(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--design", "vowels", "-o", "d.json", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["path"] == str(tmp_path / "d.json")
    assert written["filled"] + written["empty"] == 87


def test_croissant_of_a_bundle(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--croissant", "vowels"]) == 0
    assert "It names no license. Add one with --license, such as CC-BY-4.0." in capsys.readouterr().out
    assert json.loads((tmp_path / "vowels-croissant/croissant.json").read_text())["name"] == "Vowels"
    assert main(["export", "--croissant", "vowels", "-o", "again", "--license", "CC-BY-4.0"]) == 0
    assert json.loads((tmp_path / "again/croissant.json").read_text())["license"] == "CC-BY-4.0"


def test_ro_crate_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = {"verdict": "scored", "scores": {"f1": 1.0}, "failure": None, "stages": {}, **TIMES}
    folder = write_run(tmp_path / "run", result=result)
    assert main(["export", "--ro-crate", str(folder)]) == 0
    assert "is a Workflow Run RO-Crate" in capsys.readouterr().out
    assert (folder / "ro-crate-metadata.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--design", "vowels", "--runs"], "--design names what it writes"),
        (["--design", "vowels", "--croissant", "vowels"], "--design names what it writes"),
        (["--license", "CC0-1.0"], "--license needs --croissant"),
        (["--ro-crate", "vowels", "-o", "x"], "leave out --output"),
        (["--ro-crate", "vowels"], "is no run folder of a finished run"),
        (["--design", "nonesuch"], "does not exist"),
    ],
)
def test_usage(bundle: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["export", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_report_of_no_export(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "./vowels"]) == 2
    found = capsys.readouterr().err
    assert "vowels is no export that a report can be made of: it has no challenge.json." in found
    assert "palio export CHALLENGE --runs" in found
