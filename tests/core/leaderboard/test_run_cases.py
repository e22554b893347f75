"""The single cases behind a score, of one task and of several."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.run_folders import CASES, write_cases

from palio.core.bundle.case_metrics import measured_columns
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.leaderboard.run_cases import RunStatistics, run_statistics
from palio.core.statistics.intervals import beta_interval

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


def test_column_of_one_task_has_the_interval_of_its_cases(run: Path) -> None:
    """The task with index 3, which has 30 errors, although the policy names a metric only for the column itself."""
    of_task = replace(COLUMN, key="accuracy@3", task=3)
    assert measured_columns(POLICY, [COLUMN, of_task], COLUMN) == [COLUMN, of_task]
    scores = {"accuracy": 1 - 45 / CASES, "accuracy@3": 1 - 30 / CASES}
    found = run_statistics(run, POLICY, [COLUMN, of_task], COLUMN, scores, (0, 3))
    assert found.intervals["accuracy@3"] == beta_interval(CASES - 30, CASES)
    wrong = run_statistics(run, POLICY, [COLUMN, of_task], COLUMN, scores | {"accuracy@3": 0.5}, (0, 3))
    assert "the column Accuracy shows 0.5000" in wrong.no_intervals["accuracy@3"]


@pytest.mark.parametrize(("tasks", "missing"), [((), "scores/cases.csv"), ((0, 1), "scores/1/cases.csv")])
def test_missing_file_is_named(run: Path, tasks: tuple[int, ...], missing: str) -> None:
    assert of_run(run, 1.0, tasks) == RunStatistics(no_intervals={"accuracy": f"{missing} is missing"})


# -- numbers

DICE = Column("dice", "Dice", descending=True, precision=3, hidden=False)
MEAN = StatisticsPolicy("cases.csv", "mean", "", (("dice", "mean(dice)"),))


def numbers(folder: Path, policy: StatisticsPolicy, rows: str, score: float) -> RunStatistics:
    (folder / "scores").mkdir()
    (folder / "scores" / "cases.csv").write_text(rows)
    return run_statistics(folder, policy, [DICE], DICE, {"dice": score})


def test_mean_of_numbers_has_an_interval(tmp_path: Path) -> None:
    found = numbers(tmp_path, MEAN, "case,dice\na,0.8\nb,0.9\nc,0.7\n", 0.8)
    assert 0.7 < found.intervals["dice"].low < 0.8 < found.intervals["dice"].high <= 0.9
    assert found.cases is not None


@pytest.mark.parametrize(
    ("rows", "score", "reason", "comparable"),
    [
        ("a,0.8\nb,0.9\n", 0.5, "the mean(dice) of scores/cases.csv is 0.850, but the column Dice shows 0.500", False),
        ("a,0.8\n", 0.8, "an interval needs at least two cases, or two groups", True),
        ("a,1\nb,1\n", 1.0, "all cases have the same value, which tells nothing about other cases", True),
        (
            "a,-0.1\nb,1\n",
            0.45,
            "scores/cases.csv cannot be used (row 2: dice is '-0.1'; it must lie from 0 to 1)",
            False,
        ),
    ],
)
def test_numbers_without_an_interval(tmp_path: Path, rows: str, score: float, reason: str, comparable: bool) -> None:
    found = numbers(tmp_path, MEAN, f"case,dice\n{rows}", score)
    assert (found.intervals, found.no_intervals) == ({}, {"dice": reason})
    assert (found.cases is not None) == comparable


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("average_precision", "average_precision has no value for the cases of scores/cases.csv"),
        (
            "sensitivity_at_specificity(0.9)",
            "sensitivity_at_specificity(0.9) has no value for the cases of scores/cases.csv",
        ),
        ("auc", "auc has no value for the cases of scores/cases.csv"),
        ("auc(x)", "there is no label x; the cases have one label without a name"),
    ],
)
def test_metric_of_cases_without_a_positive_one(tmp_path: Path, metric: str, reason: str) -> None:
    policy = StatisticsPolicy("cases.csv", "probability", metric)
    found = numbers(tmp_path, policy, "file,truth,prediction\na,0,0.5\nb,0,0.25\n", 0.5)
    assert found == RunStatistics(no_intervals={"dice": reason})
