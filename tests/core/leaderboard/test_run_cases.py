"""The single cases behind a score, of one task and of several."""

from pathlib import Path

import pytest
from tests.run_folders import CASES, write_cases

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.leaderboard.run_cases import RunStatistics, run_statistics

POLICY = StatisticsPolicy("cases.csv", "classification", "accuracy")
COLUMN = Column("accuracy", "Accuracy", descending=True, precision=4, hidden=False)


def of_run(run: Path, score: float, tasks: tuple[int, ...]) -> RunStatistics:
    return run_statistics(run, POLICY, [COLUMN], COLUMN, {"accuracy": score}, tasks)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for task, wrong in ((0, range(60)), (3, range(30))):
        folder = tmp_path / "scores" / str(task)
        folder.mkdir(parents=True)
        write_cases(folder / "cases.csv", wrong)
    return tmp_path


def test_cases_of_each_task(run: Path) -> None:
    found = of_run(run, 1 - 45 / CASES, (0, 3))
    assert found.cases is not None
    assert [len(cases.files) for cases in found.cases] == [CASES, CASES]
    assert found.intervals["accuracy"].low < 1 - 45 / CASES < found.intervals["accuracy"].high


def test_score_is_the_mean_over_tasks(run: Path) -> None:
    found = of_run(run, 1 - 60 / CASES, (0, 3))
    assert "mean accuracy of 2 tasks" in found.no_intervals["accuracy"]
    assert found.cases is None


@pytest.mark.parametrize(("tasks", "missing"), [((), "scores/cases.csv"), ((0, 1), "scores/1/cases.csv")])
def test_missing_file_is_named(run: Path, tasks: tuple[int, ...], missing: str) -> None:
    assert of_run(run, 1.0, tasks) == RunStatistics(no_intervals={"accuracy": f"{missing} is missing"})
