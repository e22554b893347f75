from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.run_folders import F1, SECONDS, write_run

from palio.core.attempt.run_folder import Verdict
from palio.core.bundle.model import StatisticsPolicy
from palio.core.errors import Failure, PalioError
from palio.core.leaderboard.run_results import read_run


def refusal(folder: Path) -> Failure:
    with pytest.raises(PalioError) as caught:
        read_run(folder)
    return caught.value.failure


def test_a_scored_run(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "a", label="resnet", wrong=range(60), minute=5))
    assert (run.folder, run.label, run.phase) == (tmp_path / "a", "resnet", "Final")
    assert run.created == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert run.verdict is Verdict.SCORED
    assert run.scores == {"f1": 0.9, "seconds": 12.25}
    assert run.failure is None
    assert run.lock is not None
    assert run.lock.bundle.title == "MedNIST classification"
    assert run.lock.reference_data is not None
    assert run.lock.reference_data.digest == "2" * 64
    assert run.lock.statistics == StatisticsPolicy("cases.csv", "classification", "accuracy")
    assert [column.key for column in run.lock.leaderboard.columns] == ["f1", "seconds"]
    assert run.lock.leaderboard.primary_column.title == "F1"
    assert run.lock.leaderboard.columns[1].descending is False


def test_a_failed_run_needs_no_lock(tmp_path: Path) -> None:
    failure = {"stage": "build", "message": "It did not build.", "evidence": ["a"], "of a later version": 1}
    result = {"verdict": "failed", "scores": None, "failure": failure}
    run = read_run(write_run(tmp_path / "a", result=result))
    assert (run.verdict, run.scores, run.lock) == (Verdict.FAILED, None, None)
    assert run.failure is not None
    assert (run.failure.stage, run.failure.message) == ("build", "It did not build.")
    assert run.failure.model_dump() == failure


@pytest.mark.parametrize("content", ['{"verdict": null, "stages": {}}', None])
def test_run_unfinished(tmp_path: Path, content: str | None) -> None:
    path = write_run(tmp_path / "a") / "result.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    run = read_run(tmp_path / "a")
    assert (run.verdict, run.scores, run.failure) == (None, None, None)


@pytest.mark.parametrize("name", ["folder", "file", "nowhere"])
def test_not_a_run_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    failure = refusal(tmp_path / name)
    assert failure.message == f"{tmp_path / name} is not a run folder: it has no config.json."
    assert failure.next_step == "Name folders that `palio run` wrote, such as runs/*."


LOCAL_TIME = '{"label": "a", "phase": "b", "created": "2026-01-01T00:00"}'
LEADERBOARD = {"title": "R", "primary": "f1", "columns": [F1, SECONDS]}


@pytest.mark.parametrize(
    ("name", "content", "evidence"),
    [
        ("config.json", "{", ["Invalid JSON: EOF while parsing an object at line 1 column 1"]),
        ("config.json", '{"label": "a"}', ["phase: Field required", "created: Field required"]),
        ("config.json", LOCAL_TIME, ["created: Input should have timezone info"]),
        ("result.json", '{"verdict": "scored"}', ["scores: missing, but the verdict is scored"]),
        ("result.json", '{"verdict": "scored", "scores": {"f1": NaN}}', ["scores.f1: Input should be a finite number"]),
        ("result.json", '{"verdict": "scored", "scores": {"f1": "1"}}', ["scores.f1: Input should be a valid number"]),
        ("result.json", '{"verdict": "won"}', ["verdict: Input should be 'scored', 'failed' or 'cancelled'"]),
        ("lock.json", None, ["the file is missing, but the run was scored"]),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: str | None, evidence: list[str]) -> None:
    path = write_run(tmp_path / "a") / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    failure = refusal(tmp_path / "a")
    count = "1 problem" if len(evidence) == 1 else f"{len(evidence)} problems"
    assert failure.message == f"{path} cannot be used: {count}."
    assert list(failure.evidence) == evidence
    assert failure.next_step == "Leave this run out, or evaluate its submission again with `palio run`."


@pytest.mark.parametrize(
    ("leaderboard", "evidence"),
    [
        ({"primary": "f2"}, "leaderboard: Value error, primary is `f2`, which is not a column"),
        ({"columns": [F1 | {"precision": "x"}]}, "leaderboard.columns.0.precision: Input should be a valid integer"),
    ],
)
def test_a_damaged_leaderboard(tmp_path: Path, leaderboard: dict[str, object], evidence: str) -> None:
    (problem,) = refusal(write_run(tmp_path / "a", lock={"leaderboard": LEADERBOARD | leaderboard})).evidence
    assert problem.startswith(evidence)


def test_file_is_a_folder(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a") / "lock.json"
    path.unlink()
    path.mkdir()
    assert refusal(tmp_path / "a").message == f"{path} cannot be read: is a directory."
