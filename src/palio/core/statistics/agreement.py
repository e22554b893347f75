"""How far two rankings of the same submissions agree, and the ranking by the mean of the ranks in each case."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from palio.core.statistics.cases import Compared
from palio.core.statistics.comparisons import EQUAL
from palio.core.statistics.methods import Method
from palio.core.statistics.metrics import Floats

_AT_ONCE = 2_000_000  # numbers


def kendall_tau(first: ArrayLike, second: ArrayLike) -> float | None:
    """Kendall's tau-b of two rankings: 1 for the same order, -1 for the reverse. Ties are taken into account.

    Kendall 1945 (Biometrika 33:239). None for fewer than two submissions, or where all are tied.
    """
    a, b = (np.sign(np.subtract.outer(each, each)) for each in (np.asarray(first), np.asarray(second)))
    untied = float((a**2).sum()) * float((b**2).sum())
    return float((a * b).sum() / untied**0.5) if untied else None


def ranks_by_case(tasks: Sequence[Compared], method: Method, *, descending: bool) -> list[int] | None:
    """Rank-then-aggregate: all submissions are ranked in each case, and then by the mean of these ranks.

    Equal values of a case share the mean of their ranks. Tasks weigh the same, as in the score. None for metrics that
    say nothing about a single case, such as an AUC.
    """
    means = list[Floats]()
    for task in tasks:
        values = method.case_values(task)
        if values is None:
            return None
        means.append(mean_ranks(-values if descending else values))
    mean = np.mean(means, axis=0)
    order = np.sort(mean)
    return [1 + int(np.searchsorted(order, each - EQUAL)) for each in mean]


def mean_ranks(values: Floats) -> Floats:
    """Shape (M,), of values (M, n): the mean over cases of the ranks in each, where 1 is the smallest value."""
    of_cases, count = values.T, len(values)
    total, size = np.zeros(count), max(1, _AT_ONCE // count)
    for start in range(0, len(of_cases), size):
        block = of_cases[start : start + size]
        order = np.argsort(block, axis=1)
        ordered = np.take_along_axis(block, order, axis=1)
        rises = np.diff(ordered, axis=1) > EQUAL
        places = np.arange(count)
        edge = np.ones((len(block), 1), dtype=np.bool_)
        first = np.maximum.accumulate(np.where(np.hstack([edge, rises]), places, 0), axis=1)
        backwards = np.hstack([rises, edge])[:, ::-1]
        last = np.minimum.accumulate(np.where(backwards, places[::-1], count), axis=1)[:, ::-1]
        ranks = np.empty(block.shape)
        np.put_along_axis(ranks, order, 1 + (first + last) / 2, axis=1)
        total += ranks.sum(axis=0)
    return total / len(of_cases)
