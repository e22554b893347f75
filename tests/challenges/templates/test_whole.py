"""The whole new challenge: its own test of itself, its reference solution and its starting kit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.challenges.templates.running import need_packages, without_engine

from palio import engines
from palio.cli import main
from palio.core.engine import Engine
from palio.data.templates import TASKS

# The key that ranks, whether higher is better, and what the reference solution must reach at least, but not exceed.
PRIMARY = {
    "classification": ("f1_macro", True, 0.8, 0.99),
    "segmentation": ("dice", True, 0.8, 0.99),
    "detection": ("ap50", True, 0.8, 0.99),
    "regression": ("mae", False, 0.1, 2.0),
    "multi-label": ("auc", True, 0.8, 0.995),
}
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine], None]:
    """Makes this the engine of all commands."""
    need_packages()
    return lambda engine: monkeypatch.setattr(engines, "open_engine", lambda _name: (engine, ""))


def score_of(submission: str, challenge: Path, work: Path, engine: str = "auto") -> float:
    """Packs and runs one of the challenge's folders."""
    zipped, run = work / f"{submission}.zip", work / submission
    assert main(["pack", str(challenge / submission), "-o", str(zipped)]) == 0
    assert main(["run", str(zipped), "-c", str(challenge), "--engine", engine, "-o", str(run)]) == 0
    scores: dict[str, float] = json.loads((run / "result.json").read_text())["scores"]
    return scores[PRIMARY[challenge.name][0]]


@pytest.mark.parametrize("task", TASKS)
def test_new_challenge_passes_its_self_test(
    task: str, challenges: dict[str, Path], use: Callable[[Engine], None], tmp_path: Path, capsys: Printed
) -> None:
    use(without_engine(tmp_path / "engine", challenges[task] / "solution"))
    assert main(["check", str(challenges[task]), "--run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in report["self_test"] if not check["passed"]] == []
    assert "solution" in report["self_test"][0]["name"]
    tables = [check for check in report["self_test"] if check["name"] == "rows in another order"]
    assert len(tables) == (task != "segmentation")


@pytest.mark.parametrize("task", TASKS)
def test_solution_score(
    task: str, challenges: dict[str, Path], use: Callable[[Engine], None], tmp_path: Path, capsys: Printed
) -> None:
    got = {}
    for name in ("solution", "starting_kit"):
        use(without_engine(tmp_path / f"{name}-engine", challenges[task] / name))
        got[name] = score_of(name, challenges[task], tmp_path)
    _, descending, least, most = PRIMARY[task]
    assert least < got["solution"] < most
    assert (got["solution"] > got["starting_kit"]) == descending
    if task != "detection":  # average precision is no function of rows for single cases
        capsys.readouterr()
        assert main(["leaderboard", *(str(tmp_path / name) for name in got), "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        first, second = shown["ranked"]
        assert first["label"] == "solution.zip"
        assert {*first["intervals"]} == {column["key"] for column in shown["columns"]}
        assert all(low < first["scores"][key] < high for key, (low, high) in first["intervals"].items())
        assert (first["rank_range"], second["rank_range"]) == ([1, 1], [2, 2])


@pytest.mark.bubblewrap
@pytest.mark.parametrize("task", TASKS)
def test_solution_scores_the_same_in_a_sandbox(
    task: str, challenges: dict[str, Path], use: Callable[[Engine], None], tmp_path: Path
) -> None:
    sandboxed = score_of("solution", challenges[task], tmp_path, "bubblewrap")
    use(without_engine(tmp_path / "engine", challenges[task] / "solution"))
    (tmp_path / "again").mkdir()
    assert sandboxed == score_of("solution", challenges[task], tmp_path / "again")


@pytest.mark.bubblewrap
def test_new_challenge_passes_its_self_test_in_a_sandbox(challenges: dict[str, Path]) -> None:
    """Of the task with the fewest scorings; test_check_run.py has the ways in which this could fail."""
    need_packages()
    assert main(["check", str(challenges["segmentation"]), "--run", "--engine", "bubblewrap"]) == 0
