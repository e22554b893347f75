from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.run_folders import F1, write_cases, write_run

from palio.core.errors import Failure, PalioError
from palio.core.leaderboard.from_runs import RunLeaderboard, rank_runs
from palio.core.leaderboard.run_results import read_run


def ranked(folders: Sequence[Path]) -> RunLeaderboard:
    return rank_runs([read_run(folder) for folder in folders])


def refusal(folders: Sequence[Path]) -> Failure:
    with pytest.raises(PalioError) as caught:
        ranked(folders)
    return caught.value.failure


def with_column(**changes: Any) -> dict[str, Any]:
    return {"leaderboard": {"title": "R", "primary": "f1", "columns": [F1 | changes]}}


def test_runs_in_rank_order(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "third", wrong=range(300, 360)),
        write_run(tmp_path / "late", wrong=range(1), minute=2),
        write_run(tmp_path / "early", wrong=range(1, 2), minute=1),
        write_run(tmp_path / "cancelled", result={"verdict": "cancelled"}, minute=3),
        write_run(tmp_path / "running", result={"verdict": None}, minute=4),
    ]
    found = ranked(runs)
    assert [(run.row.rank, run.rank_range, run.row.name) for run in found.ranked] == [
        (1, (1, 2), "early.zip"),
        (1, (1, 2), "late.zip"),
        (3, (3, 3), "third.zip"),
    ]
    assert found.ranked[2].row.values == {"f1": 0.9, "seconds": 12.25}
    assert [(run.name, run.reason) for run in found.unranked] == [
        ("cancelled.zip", "cancelled"),
        ("running.zip", "not finished"),
    ]
    assert [column.key for column in found.columns] == ["f1", "seconds"]
    assert found.statistics.cases == 600


def test_equal_labels_disambiguated(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("x/1", "y/1", "x/2", "x/3")]
    labels = ["s.zip", "s.zip", "s.zip", "other\x1b[31m.zip"]
    runs = [write_run(folder, label=label) for folder, label in zip(folders, labels, strict=True)]
    assert sorted(run.row.name for run in ranked(runs).ranked) == sorted(
        [f"s.zip ({folders[0]})", f"s.zip ({folders[1]})", "s.zip (2)", "other\\x1b[31m.zip"]
    )


def test_failure_without_stage(tmp_path: Path) -> None:
    failure: dict[str, Any] = {
        "code": "submission-kind-refused",
        "cause": "participant",
        "stage": None,
        "message": "Not taken.",
        "evidence": [],
        "next_step": "",
    }
    failed = write_run(tmp_path / "b", result={"verdict": "failed", "failure": failure})
    assert ranked([write_run(tmp_path / "a"), failed]).unranked[0].reason == "failed: Not taken."


def test_run_without_primary_score(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", scores={"seconds": 1})]
    (unranked,) = ranked(runs).unranked
    assert (unranked.name, unranked.reason) == ("b.zip", "no score in the column F1")
    failure = refusal(runs[1:])
    assert failure.message == "No run to rank: 1 run has no score."
    assert failure.evidence == ("b.zip: no score in the column F1",)


def test_failed_runs_in_phase(tmp_path: Path) -> None:
    failed = write_run(tmp_path / "b", lock={"phase": "Practice"}, result={"verdict": "failed"})
    failure = refusal([write_run(tmp_path / "a"), failed])
    assert failure.message == "These runs cannot be ranked together: they differ in phase."
    assert failure.evidence == ("phase Final: a.zip", "phase Practice: b.zip")


def test_runs_that_differ_in_everything(tmp_path: Path) -> None:
    other = {"phase": "Practice", "input_data": {"digest": "5" * 64}, "reference_data": {"digest": "6" * 64}}
    failure = refusal([write_run(tmp_path / "a"), write_run(tmp_path / "b", lock=other)])
    assert failure.message.endswith("they differ in phase, input data and reference data.")


@pytest.mark.parametrize(
    ("lock", "name", "values"),
    [
        (
            {"bundle": {"title": "Other", "digest": "c" * 64}},
            "challenge",
            ("MedNIST classification (bbbbbbbbbbbb)", "Other (cccccccccccc)"),
        ),
        ({"input_data": {"digest": "5" * 64}}, "input data", ("111111111111", "555555555555")),
        ({"reference_data": {"digest": "6" * 64}}, "reference data", ("222222222222", "666666666666")),
    ],
)
def test_runs_of_different_inputs(tmp_path: Path, lock: dict[str, Any], name: str, values: tuple[str, str]) -> None:
    failure = refusal([write_run(tmp_path / "a"), write_run(tmp_path / "b", lock=lock)])
    assert failure.message == f"These runs cannot be ranked together: they differ in {name}."
    assert failure.next_step == "Name only runs of the same challenge, phase and data."
    assert failure.evidence == (f"{name} {values[0]}: a.zip", f"{name} {values[1]}: b.zip")


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        (
            {"statistics": None},
            "the challenge names no file of single cases (palio.statistics in competition.yaml)",
        ),
        (
            {"statistics": {"cases": "cases.csv", "kind": "classification", "metric": "dice"}},
            "this version of Palio has no interval for the metric dice of classification",
        ),
        (
            {"statistics": {"cases": "other.csv", "kind": "classification", "metric": "accuracy"}},
            "scores/other.csv is missing",
        ),
        (
            {"statistics": {"cases": "cases.csv", "kind": "classification", "metric": "f1_macro"}} | with_column(),
            "the f1_macro of scores/cases.csv is 0.9000, but the column F1 shows 0.5000",
        ),
        (
            with_column(descending=False),
            "the accuracy of scores/cases.csv is 0.9000, but the column F1 shows 0.5000",
        ),
    ],
)
def test_missing_interval_reason(tmp_path: Path, lock: dict[str, Any], reason: str) -> None:
    run = write_run(tmp_path / "a", wrong=range(60), scores={"f1": 0.5}, lock=lock)
    (only,) = ranked([run]).ranked
    assert (only.row.rank, only.rank_range, only.intervals, only.no_intervals) == (1, None, {}, {"f1": reason})


def test_rounded_score_agrees_with_cases(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", wrong=range(1), scores={"f1": 0.9983})
    assert ranked([run]).ranked[0].no_intervals == {}


def test_case_file_broken(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    (run / "scores" / "cases.csv").write_text("file,truth,prediction\n1,,x\n")
    assert ranked([run]).ranked[0].no_intervals["f1"] == "scores/cases.csv cannot be used (row 2: no truth)"


def test_case_file_link(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", wrong=None)
    write_cases(tmp_path / "elsewhere" / "cases.csv", [])
    (run / "scores").mkdir()
    (run / "scores" / "cases.csv").symlink_to(tmp_path / "elsewhere" / "cases.csv")
    reason = "scores/cases.csv cannot be used (cases.csv is a link, and links are not followed)"
    assert ranked([run]).ranked[0].no_intervals["f1"] == reason
