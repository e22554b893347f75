"""The whole new challenge: its own test of itself, its reference solution and its starting kit."""

import json
from pathlib import Path

import pytest
from tests.challenges.templates.running import need_packages, without_engine

from palio.cli import main
from palio.core.attempt.run_folder import RunFolder, new_identity
from palio.core.bundle.read import read_bundle
from palio.core.engine import Engine
from palio.core.evaluate import Attempt, Evaluation
from palio.core.self_test.run import run_self_test
from palio.core.submission.kinds import read_submission
from palio.data.templates import TASKS
from palio.engines import open_engine

# The key that ranks, whether higher is better, and what the reference solution must reach at least, but not exceed.
PRIMARY = {
    "classification": ("f1_macro", True, 0.8, 0.99),
    "segmentation": ("dice", True, 0.8, 0.99),
    "detection": ("ap50", True, 0.8, 0.99),
    "regression": ("mae", False, 0.1, 2.0),
    "multi-label": ("auc", True, 0.8, 0.995),
}
Printed = pytest.CaptureFixture[str]


def score_of(submission: str, challenge: Path, work: Path, engine: Engine) -> float:
    """Packs and evaluates one of the challenge's folders."""
    zipped, bundle, identity = work / f"{submission}.zip", read_bundle(challenge), new_identity()
    assert main(["pack", str(challenge / submission), "-o", str(zipped)]) == 0
    phase, packed = bundle.phases[0], read_submission(zipped)
    attempt = Attempt(identity, packed, bundle, phase, phase.tasks[0], packed.name)
    result = Evaluation(attempt, engine, RunFolder.create(work / submission, identity)).finish()
    assert result.scores is not None, result.failure
    return result.scores[PRIMARY[challenge.name][0]]


@pytest.mark.parametrize("task", TASKS)
def test_new_challenge_passes_its_self_test(task: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    need_packages()
    bundle = read_bundle(challenges[task])
    engine = without_engine(tmp_path / "engine", challenges[task] / "solution")
    (tmp_path / "work").mkdir()
    checks = [*run_self_test(bundle, bundle.phases[0], engine, tmp_path / "work")]
    assert [check.name for check in checks if not check.passed] == []
    assert "solution" in checks[0].name
    assert sum(check.name == "rows in another order" for check in checks) == (task != "segmentation")


@pytest.mark.parametrize("task", TASKS)
def test_solution_score(task: str, challenges: dict[str, Path], tmp_path: Path, capsys: Printed) -> None:
    need_packages()
    got = {}
    for name in ("solution", "starting_kit"):
        engine = without_engine(tmp_path / f"{name}-engine", challenges[task] / name)
        got[name] = score_of(name, challenges[task], tmp_path, engine)
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
def test_solution_scores_the_same_in_a_sandbox(task: str, challenges: dict[str, Path], tmp_path: Path) -> None:
    need_packages()
    sandboxed = score_of("solution", challenges[task], tmp_path, open_engine("bubblewrap")[0])
    engine = without_engine(tmp_path / "engine", challenges[task] / "solution")
    (tmp_path / "again").mkdir()
    assert sandboxed == score_of("solution", challenges[task], tmp_path / "again", engine)


@pytest.mark.bubblewrap
def test_new_challenge_passes_its_self_test_in_a_sandbox(challenges: dict[str, Path]) -> None:
    """Of the task with the fewest scorings; test_check_run.py has the ways in which this could fail."""
    need_packages()
    assert main(["check", str(challenges["segmentation"]), "--run", "--engine", "bubblewrap"]) == 0
