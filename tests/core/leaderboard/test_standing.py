"""What rank ranges justify saying."""

import pytest

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.leaderboard.standing import leading_group, standing, suggested_policy, worth_of_case, worth_text

WORKED = [(1, 4), (1, 5), (1, 5), (2, 5), (2, 5), (6, 6)]


def column(key: str) -> Column:
    return Column(key, key.title(), descending=True, precision=3, hidden=False)


def policy(metric: str, kind: str = "classification") -> StatisticsPolicy:
    return StatisticsPolicy("cases.csv", kind, metric)


@pytest.mark.parametrize(
    ("ranges", "group"), [(WORKED, 3), ([], 0), ([None, (1, 2)], 0), ([(1, 1), (2, 2)], 1), ([(1, 2)] * 2, 2)]
)
def test_leading_group(ranges: list[tuple[int, int] | None], group: int) -> None:
    assert leading_group(ranges) == group


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (WORKED, "600 cases cannot tell the first three apart."),
        ([(1, 1), (2, 3), (2, 3)], "600 cases tell the first from all others."),
        ([(1, 2), (1, 2)], "600 cases cannot tell the two apart."),
        ([(1, 4)] * 4, "600 cases cannot tell all four apart."),
        ([(1, 13)] * 13, "600 cases cannot tell the first 13 apart."),
        ([(1, 2), (2, 3), (1, 3)], "600 cases cannot tell the first from some that stand below the second."),
    ],
)
def test_standing(ranges: list[tuple[int, int]], said: str) -> None:
    assert standing(ranges, 600) == [said]


@pytest.mark.parametrize(("ranges", "cases"), [([(1, 1)], 600), ([], 600), ([None, None], None), (WORKED, None)])
def test_standing_unknown(ranges: list[tuple[int, int] | None], cases: int | None) -> None:
    assert standing(ranges, cases) == []


@pytest.mark.parametrize(
    ("metric", "kind", "tasks", "said"),
    [
        ("accuracy", "classification", 1, "One case is worth 0.0017."),
        ("f1_weighted", "classification", 1, "One case is worth about 0.0017."),
        ("f1_macro", "classification", 1, ""),
        ("accuracy", "classification", 2, ""),
        ("mean(dice)", "mean", 1, ""),
    ],
)
def test_worth_of_case(metric: str, kind: str, tasks: int, said: str) -> None:
    assert worth_text(policy(metric, kind), column("score"), 600, tasks) == said


def test_worth_of_case_without_policy() -> None:
    assert worth_of_case(None, column("score"), 600) is None
    assert worth_text(policy("accuracy"), column("score"), None) == ""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("accuracy", "kind: classification, metric: accuracy}"),
        ("f1", "kind: classification, metric: f1_weighted}"),
        ("AUC", "kind: probability, metric: auc}"),
        ("mae", "kind: pairs, metric: mae}"),
        ("dice", "kind: mean, metric: mean(dice)}"),
    ],
)
def test_suggested_policy(key: str, line: str) -> None:
    assert line in suggested_policy(column(key))
