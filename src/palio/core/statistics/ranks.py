"""Rank ranges and rank frequencies.

The range is the statement about a rank. Frequencies are an illustration, not an interval: as one, they would miss the
true rank too often.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from palio.core.statistics.cases import Compared
from palio.core.statistics.comparisons import EQUAL, Comparison
from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.methods import Method
from palio.core.statistics.metrics import Floats

SIGNIFICANT = 0.05
REDRAWS = 2_000


def rank_ranges(
    scores: Sequence[float], comparisons: Iterable[Comparison], level: float = SIGNIFICANT
) -> list[tuple[int, int]]:
    """For each of M submissions its best and worst possible rank; higher scores are better.

    The range is [1 + number significantly better than it, M - number that it is significantly better than].
    Significant means that the p-value, adjusted over all pairs, is below `level`. A pair that was not compared counts
    as not significant, which can only widen a range.
    """
    first, last = [1] * len(scores), [len(scores)] * len(scores)
    for pair in comparisons:
        if pair.adjusted < level and scores[pair.a] != scores[pair.b]:
            better, worse = (pair.a, pair.b) if scores[pair.a] > scores[pair.b] else (pair.b, pair.a)
            first[worse] += 1
            last[better] -= 1
    return list(zip(first, last, strict=True))


def rank_frequencies(
    tasks: Sequence[Compared], method: Method, *, descending: bool = True, draws: int = REDRAWS, seed: int = SEED
) -> Floats:
    """Shape (M, M): how often submission i (row) has rank j + 1 (column) if the cases are drawn again.

    A bootstrap over the cases of each task, in which all submissions get the same redraws; equal scores share the
    better rank. The score is the mean of the metric over the tasks, usually one.
    """
    random, sign = generator(seed), 1 if descending else -1
    places, counted = np.zeros(()), 0
    for size in batches(draws, sum(task.cases for task in tasks)):
        scores = sign * np.mean([method.redrawn(task, size, random) for task in tasks], axis=0)
        scores = scores[:, ~np.isnan(scores).any(axis=0)]  # a redraw without positive cases has no AUC
        better = (scores > scores[:, np.newaxis] + EQUAL).sum(axis=1)
        places = places + np.stack([np.bincount(row, minlength=len(scores)) for row in better])
        counted += scores.shape[1]
    return np.asarray(places / max(1, counted))
