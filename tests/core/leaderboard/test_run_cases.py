"""The single cases behind a score, of one task and of several."""

from pathlib import Path

import pytest
from tests.run_folders import CASES, write_cases

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.leaderboard.run_cases import cases_of_run

POLICY = StatisticsPolicy("cases.csv", "classification", "accuracy")
COLUMN = Column("accuracy", "Accuracy", descending=True, precision=4, hidden=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for task, wrong in ((0, range(60)), (3, range(30))):
        folder = tmp_path / "scores" / str(task)
        folder.mkdir(parents=True)
        write_cases(folder / "cases.csv", wrong)
    return tmp_path


def test_cases_of_each_task(run: Path) -> None:
    found = cases_of_run(run, POLICY, COLUMN, 1 - 45 / CASES, (0, 3))
    assert not isinstance(found, str)
    assert [len(cases.files) for cases in found] == [CASES, CASES]


def test_score_is_the_mean_over_tasks(run: Path) -> None:
    found = cases_of_run(run, POLICY, COLUMN, 1 - 60 / CASES, (0, 3))
    assert isinstance(found, str)
    assert "mean accuracy of 2 tasks" in found


@pytest.mark.parametrize(("tasks", "missing"), [((), "scores/cases.csv"), ((0, 1), "scores/1/cases.csv")])
def test_missing_file_is_named(run: Path, tasks: tuple[int, ...], missing: str) -> None:
    assert cases_of_run(run, POLICY, COLUMN, 1.0, tasks) == f"{missing} is missing"
