"""`palio compare` of run folders. tests/web/pages/test_compare.py has submissions on a platform."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.run_folders import write_run

from palio.cli import main


def runs(folder: Path, *wrong: Sequence[int] | None, **more: Any) -> list[str]:
    return [str(write_run(folder / f"run{place}", wrong=each, **more)) for place, each in enumerate(wrong)]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["compare", *arguments])
    return code, capsys.readouterr().err


def test_compare_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs(tmp_path, [0], [5, 6])]) == 0
    shown = capsys.readouterr().out
    assert "Only run0.zip is right on 2 of 600 cases, only run1.zip on 1." in shown
    assert "600 cases cannot tell them apart (p = 1.000, exact McNemar)." in shown
    assert "The chance that run1.zip is better than run0.zip in truth is 31 %." in shown
    assert shown.splitlines()[-2:] == [
        "p is that of these two, as if nobody had chosen them among others.",
        "Rank ranges of a leaderboard are adjusted for all pairs, so they can overlap nevertheless.",
    ]


def test_compare_runs_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs(tmp_path, range(40), [0]), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (column,) = found["columns"]
    assert (column["only_a"], column["only_b"], column["cases"]) == (0, 39, 600)
    assert column["difference"] == pytest.approx(-39 / 600)
    assert column["interval"][0] < column["difference"] < column["interval"][1] < 0
    assert column["sentences"][1] == "run1.zip is better than run0.zip (p < .001, exact McNemar)."


def test_compare_runs_without_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refusal(capsys, *runs(tmp_path, [0], None))
    assert code == 11
    assert "No values of single cases to compare (run1.zip): scores/cases.csv is missing." in said


def test_compare_runs_of_other_scorers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_run(tmp_path / "a", lock={"scoring_program": {"digest": "4" * 64}})
    second = write_run(tmp_path / "b", lock={"scoring_program": {"digest": "5" * 64}})
    code, said = refusal(capsys, str(first), str(second))
    assert code == 11
    assert "a.zip and b.zip were scored differently: scoring program 444444444444 and 555555555555." in said


def test_compare_runs_on_other_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = runs(tmp_path, [0], [0])
    path = Path(second, "scores", "cases.csv")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-100]))
    result = Path(second, "result.json")
    result.write_text(json.dumps(json.loads(result.read_text()) | {"scores": {"f1": 499 / 500, "seconds": 1.0}}))
    code, said = refusal(capsys, first, second)
    assert code == 11
    assert (
        "run0.zip and run1.zip were scored on different cases: run0.zip has 600 cases, run1.zip has 500, and 500 are "
        "in both." in said
    )


def test_compare_runs_of_other_phases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", lock={"phase": "Practice"})
    code, said = refusal(capsys, str(first), str(second))
    assert code == 2
    assert (
        "a.zip is of MedNIST classification, phase Final; b.zip is of MedNIST classification, phase Practice." in said
    )


def test_compare_run_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = runs(tmp_path, [0])
    code, said = refusal(capsys, run, run)
    assert code == 2
    assert "Both are the same submission" in said


def test_compare_unscored_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failure = {"stage": "predict", "message": "It took too long."}
    first = write_run(tmp_path / "a")
    second = write_run(tmp_path / "b", result={"verdict": "failed", "failure": failure})
    code, said = refusal(capsys, str(first), str(second))
    assert code == 2
    assert "b.zip has no scores to compare: It took too long." in said


def test_compare_run_with_other_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = runs(tmp_path, [0])
    (tmp_path / "other").mkdir()
    code, said = refusal(capsys, run, str(tmp_path / "other"))
    assert code == 2
    assert "other is not a run folder: it has no config.json." in said


def test_compare_two_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statistics = {
        "cases": "cases.csv",
        "kind": "classification",
        "metric": "accuracy",
        "metrics": [["seconds", "f1_macro"]],
    }
    names = runs(tmp_path, [0], [5, 6], lock={"statistics": statistics})
    assert main(["compare", *names, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["columns"]
    assert (first["key"], second["key"]) == ("f1", "seconds")
    assert second["p_value"] is None
    assert "the column Seconds shows 12.2" in second["sentences"][0]
