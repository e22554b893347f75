import pytest

from palio.core.statistics.cases import Cases
from palio.core.statistics.summary import RankStatistics, rank_statistics, score_interval

FILES = tuple(f"{case:03}.jpg" for case in range(200))
TRUTHS = tuple("ab"[case % 2] for case in range(200))


def cases(*wrong: int) -> Cases:
    said = tuple("ba"[case % 2] if case in wrong else truth for case, truth in enumerate(TRUTHS))
    return Cases(FILES, TRUTHS, said)


def test_rank_statistics_of_a_leaderboard() -> None:
    found = rank_statistics([1.0, 0.99, 0.75], [cases(), cases(0, 1), cases(*range(50))], "accuracy", frequencies=True)
    assert [(pair.a, pair.b, pair.only_a, pair.only_b) for pair in found.comparisons] == [
        (0, 1, 2, 0),
        (0, 2, 50, 0),
        (1, 2, 48, 0),
    ]
    assert found.ranges == ((1, 2), (1, 2), (3, 3))
    assert found.cases == 200
    assert found.frequencies is not None
    assert [sum(row) for row in found.frequencies] == pytest.approx([1, 1, 1])


def test_submission_without_cases_is_compared_with_none() -> None:
    found = rank_statistics([1.0, 0.9, 0.75], [cases(), None, cases(*range(50))], "accuracy", frequencies=True)
    assert [(pair.a, pair.b) for pair in found.comparisons] == [(0, 2)]
    assert found.ranges == ((1, 2), (1, 3), (2, 3))
    assert found.frequencies is None
    assert found.cases == 200


def test_different_cases_are_not_compared() -> None:
    other = Cases(("x.jpg", "y.jpg"), ("a", "b"), ("a", "b"))
    found = rank_statistics([1.0, 1.0], [cases(), other], "accuracy")
    assert found == RankStatistics(reason=found.reason)
    assert "different cases" in found.reason


def test_nothing_is_compared_without_cases() -> None:
    found = rank_statistics([0.5, 0.4], [None, None], "")
    assert found == RankStatistics(reason=found.reason)
    assert found.reason


@pytest.mark.parametrize("wrong", [(), (0, 1), tuple(range(50))])
def test_score_interval_holds_the_score(wrong: tuple[int, ...]) -> None:
    interval = score_interval(cases(*wrong), "accuracy")
    assert interval.low <= 1 - len(wrong) / 200 <= interval.high
