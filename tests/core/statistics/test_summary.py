import pytest

from palio.core.statistics.cases import Cases
from palio.core.statistics.summary import Certainty, certainty

FILES = tuple(f"{case:03}.jpg" for case in range(200))
TRUTHS = tuple("ab"[case % 2] for case in range(200))


def cases(*wrong: int) -> Cases:
    said = tuple("ba"[case % 2] if case in wrong else truth for case, truth in enumerate(TRUTHS))
    return Cases(FILES, TRUTHS, said)


def test_all_of_a_board() -> None:
    certain = certainty([1.0, 0.99, 0.75], [cases(), cases(0, 1), cases(*range(50))], "accuracy")
    assert [(pair.a, pair.b, pair.only_a, pair.only_b) for pair in certain.comparisons] == [
        (0, 1, 2, 0),
        (0, 2, 50, 0),
        (1, 2, 48, 0),
    ]
    assert certain.ranges == ((1, 2), (1, 2), (3, 3))
    assert certain.cases == 200
    assert certain.frequencies is not None
    assert [sum(row) for row in certain.frequencies] == pytest.approx([1, 1, 1])
    for score, interval in zip([1.0, 0.99, 0.75], certain.intervals, strict=True):
        assert interval is not None
        assert interval.low <= score <= interval.high


def test_who_has_no_cases_is_compared_with_none() -> None:
    certain = certainty([1.0, 0.9, 0.75], [cases(), None, cases(*range(50))], "accuracy")
    assert [(pair.a, pair.b) for pair in certain.comparisons] == [(0, 2)]
    assert certain.ranges == ((1, 2), (1, 3), (2, 3))
    assert certain.intervals[1] is None
    assert certain.frequencies is None
    assert certain.cases == 200


def test_different_cases_are_not_compared() -> None:
    other = Cases(("x.jpg", "y.jpg"), ("a", "b"), ("a", "b"))
    certain = certainty([1.0, 1.0], [cases(), other], "accuracy")
    assert certain == Certainty(certain.intervals)
    assert None not in certain.intervals


def test_an_interval_does_not_depend_on_the_others() -> None:
    stranger = Cases(FILES, TRUTHS, ("z", *TRUTHS[1:]))
    together = certainty([0.99, 0.995], [cases(0, 1), stranger], "f1_weighted")
    alone = certainty([0.99], [cases(0, 1)], "f1_weighted")
    assert together.intervals[0] == alone.intervals[0]


def test_nothing_is_known_without_cases() -> None:
    assert certainty([0.5, 0.4], [None, None], "") == Certainty((None, None))
