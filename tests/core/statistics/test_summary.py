import pytest

from palio.core.statistics.cases import Cases
from palio.core.statistics.methods import method
from palio.core.statistics.summary import RankStatistics, rank_statistics, score_interval

FILES = tuple(f"{case:03}.jpg" for case in range(200))
ACCURACY = method("classification", "accuracy")
TRUTHS = tuple("ab"[case % 2] for case in range(200))


def task(*wrong: int, size: int = 200) -> Cases:
    said = tuple("ba"[case % 2] if case in wrong else truth for case, truth in enumerate(TRUTHS[:size]))
    return Cases(FILES[:size], TRUTHS[:size], said)


def cases(*wrong: int) -> tuple[Cases]:
    """Those of a phase with one task."""
    return (task(*wrong),)


def test_rank_statistics_of_a_leaderboard() -> None:
    found = rank_statistics([1.0, 0.99, 0.75], [cases(), cases(0, 1), cases(*range(50))], ACCURACY, frequencies=True)
    assert [(pair.a, pair.b, pair.only_a, pair.only_b) for pair in found.comparisons] == [
        (0, 1, 2, 0),
        (0, 2, 50, 0),
        (1, 2, 48, 0),
    ]
    assert found.ranges == ((1, 2), (1, 2), (3, 3))
    assert (found.cases, found.test) == (200, "exact McNemar")
    assert found.frequencies is not None
    assert [sum(row) for row in found.frequencies] == pytest.approx([1, 1, 1])


def test_submission_without_cases_is_compared_with_none() -> None:
    found = rank_statistics([1.0, 0.9, 0.75], [cases(), None, cases(*range(50))], ACCURACY, frequencies=True)
    assert [(pair.a, pair.b) for pair in found.comparisons] == [(0, 2)]
    assert found.ranges == ((1, 2), (1, 3), (2, 3))
    assert found.frequencies is None
    assert found.cases == 200


def test_different_cases_are_not_compared() -> None:
    other = (Cases(("x.jpg", "y.jpg"), ("a", "b"), ("a", "b")),)
    found = rank_statistics([1.0, 1.0], [cases(), other], ACCURACY)
    assert vars(found) == vars(RankStatistics(reason=found.reason))
    assert "different cases" in found.reason


def test_nothing_is_compared_without_cases() -> None:
    found = rank_statistics([0.5, 0.4], [None, None], None)
    assert vars(found) == vars(RankStatistics(reason=found.reason))
    assert found.reason


@pytest.mark.parametrize("wrong", [(), (0, 1), tuple(range(50))])
def test_score_interval_holds_the_score(wrong: tuple[int, ...]) -> None:
    interval = score_interval(cases(*wrong), ACCURACY)
    assert interval.low <= 1 - len(wrong) / 200 <= interval.high


def test_mean_over_tasks_interval() -> None:
    """Both tasks weigh the same, so the small one decides the width."""
    large, small = task(*range(20)), task(*range(4), size=20)
    interval = score_interval((large, small), ACCURACY)
    assert interval.low < 0.85 < interval.high
    width, of_large = interval.high - interval.low, score_interval((large,), ACCURACY)
    of_small = score_interval((small,), ACCURACY)
    expected = ((of_large.high - of_large.low) ** 2 + (of_small.high - of_small.low) ** 2) ** 0.5 / 2
    assert width == pytest.approx(expected, rel=0.1)


def test_tasks_are_compared_by_their_mean() -> None:
    """The one behind is better on the larger task, so that a mean over all cases would be the other way round."""
    ahead, behind = (task(*range(10)), task(size=20)), (task(), task(*range(10), size=20))
    found = rank_statistics([0.975, 0.75], [ahead, behind], ACCURACY, frequencies=True)
    (pair,) = found.comparisons
    assert (pair.only_a, pair.only_b, found.cases, found.test) == (10, 10, 220, "paired permutation")
    assert pair.p_value < 0.05
    assert found.ranges == ((1, 1), (2, 2))
    assert found.frequencies is not None
    assert found.frequencies[0][0] > 0.99
    same = rank_statistics([0.975, 0.975], [ahead, ahead], ACCURACY)
    assert same.comparisons[0].p_value == 1.0


def test_tasks_with_different_cases_are_not_compared() -> None:
    found = rank_statistics([1.0, 1.0], [(task(), task(size=20)), (task(), task(size=30))], ACCURACY)
    assert "different cases" in found.reason
