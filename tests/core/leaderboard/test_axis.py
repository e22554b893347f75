from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from palio.core.leaderboard.axis import Axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.13, 0.87], ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")),
        ([0.2, 0.8], ("0.2", "0.4", "0.6", "0.8")),
        ([0.9871, 0.9984], ("0.985", "0.990", "0.995", "1.000")),
        ([0.5], ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")),
        ([-3, 41], ("-10", "0", "10", "20", "30", "40", "50")),
    ],
)
def test_axis_ticks(values: Sequence[float], ticks: tuple[str, ...]) -> None:
    axis = Axis.around(values)
    assert (axis.low, axis.high, axis.ticks) == (float(ticks[0]), float(ticks[-1]), ticks)
    assert (axis.at(axis.low), axis.at(axis.high)) == (0, 100)


@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 6)), min_size=1))
@example([0.1, 0.3])
@example([0.7, 0.7])
@example([1e17])
def test_axis_covers_values(values: Sequence[float]) -> None:
    axis = Axis.around(values)
    assert all(0 <= axis.at(value) <= 100 for value in values)
    assert 2 <= len(axis.ticks) <= 8
