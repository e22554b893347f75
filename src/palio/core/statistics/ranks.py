"""Rank ranges and rank frequencies.

The range is the statement about a rank. Frequencies are an illustration, not an interval: as one, they would miss the
true rank too often.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palio.core.statistics.cases import Compared
from palio.core.statistics.comparisons import EQUAL, Comparison
from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.methods import Method
from palio.core.statistics.metrics import Codes, Floats

Ranks: TypeAlias = NDArray[np.int32]

SIGNIFICANT = 0.05
REDRAWS = 2_000
_AT_ONCE = 2_000_000  # numbers
_IN_CACHE = 30_000  # numbers that fit into the processor's cache


def rank_ranges(
    scores: Sequence[float], comparisons: Iterable[Comparison], level: float = SIGNIFICANT
) -> list[tuple[int, int]]:
    """For each of M submissions its best and worst possible rank; higher scores are better.

    The range is [1 + number significantly better than it, M - number that it is significantly better than].
    Significant means that the p-value, adjusted over all pairs, is below `level`. A pair that was not compared counts
    as not significant, which can only widen a range.
    """
    rows = [(pair.a, pair.b, pair.adjusted) for pair in comparisons]
    a, b, adjusted = zip(*rows, strict=True) if rows else ((), (), ())
    return ranges_of_pairs(scores, np.array(a, np.intp), np.array(b, np.intp), np.array(adjusted), level)


def ranges_of_pairs(
    scores: Sequence[float], a: Codes, b: Codes, adjusted: Floats, level: float = SIGNIFICANT
) -> list[tuple[int, int]]:
    """The same from one number for each of the compared pairs."""
    values = np.asarray(scores, dtype=np.float64)
    differs = (adjusted < level) & (values[a] != values[b])
    a, b = a[differs], b[differs]
    a_is_better = values[a] > values[b]
    better, worse = np.where(a_is_better, a, b), np.where(a_is_better, b, a)
    first = 1 + np.bincount(worse, minlength=len(values))
    last = len(values) - np.bincount(better, minlength=len(values))
    return list(zip(first.tolist(), last.tolist(), strict=True))


def redrawn_scores(
    tasks: Sequence[Compared], method: Method, draws: int = REDRAWS, seed: int = SEED, submissions: int = 0
) -> Floats:
    """Shape (M, draws): every submission's score if the cases were drawn again, the same redraws for all.

    A bootstrap over the cases of each task. The score is the mean of the metric over the tasks, usually one. The
    redraws of one submission do not depend on the others; `submissions` is their number on the leaderboard.
    """
    random, redrawers = generator(seed), [method.redrawer(task, submissions) for task in tasks]
    found = [
        np.mean([redrawer(size, random) for redrawer in redrawers], axis=0)
        for size in batches(draws, sum(task.cases for task in tasks))
    ]
    return np.concatenate(found, axis=1)


def number_better(redrawn: Floats, *, descending: bool = True) -> Ranks:
    """Shape (M, draws): how many submissions are better in this redraw. Equal scores share the better rank."""
    scores = (-redrawn if descending else redrawn).T
    count = scores.shape[1]
    order = np.argsort(scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    is_first = np.diff(ordered, axis=1, prepend=-np.inf) > EQUAL
    better = np.empty(scores.shape, dtype=np.int32)
    places = np.maximum.accumulate(np.where(is_first, np.arange(count, dtype=np.int32), 0), axis=1)
    np.put_along_axis(better, order, places, axis=1)
    return np.ascontiguousarray(better.T)


def changed_number_better(
    redrawn: Floats, better: Ranks, removed: Floats, added: Floats, *, descending: bool = True
) -> Ranks:
    """`number_better` of `redrawn` and `added`, from that of `redrawn` and `removed`: shape (M + added, draws)."""
    sign, better = 1 if descending else -1, better.copy()
    new = np.array([(sign * (added - scores) > EQUAL).sum(axis=0) for scores in added], dtype=np.int32)
    new = new.reshape(-1, redrawn.shape[1])
    rows = max(1, _IN_CACHE // max(1, redrawn.shape[1]))
    for start in range(0, len(redrawn), rows):
        some = slice(start, start + rows)
        for scores in removed:
            better[some] -= sign * (scores - redrawn[some]) > EQUAL
        for of_scores, scores in zip(new, added, strict=True):
            ahead = sign * (scores - redrawn[some])
            better[some] += ahead > EQUAL
            of_scores += (ahead < -EQUAL).sum(axis=0, dtype=np.int32)
    return np.concatenate([better, new])


def frequencies_of_ranks(redrawn: Floats, better: Ranks) -> Floats:
    """Shape (M, M): how often submission i (row) has rank j + 1 (column) in the redraws.

    `better` is the `number_better` of `redrawn`. Redraws that give a submission no score, such as an AUC, are left out.
    """
    count, known = len(better), ~np.isnan(redrawn).any(axis=0)
    if not known.all():
        better = better[:, known]
    return np.stack([np.bincount(row, minlength=count) for row in better]) / max(1, int(known.sum()))


def share_reversed(redrawn: Floats, a: Codes, b: Codes, *, descending: bool = True) -> Floats:
    """For each pair the share of redraws in which `b` is better than `a`. Equal scores count half.

    Half a redraw is added to both sides, so that no finite number of redraws makes an order certain.
    """
    scores = redrawn[:, ~np.isnan(redrawn).any(axis=0)] * (1 if descending else -1)
    draws, found = scores.shape[1], np.empty(len(a))
    size = max(1, _AT_ONCE // max(1, draws))
    for start in range(0, len(a), size):
        some = slice(start, start + size)
        ahead = scores[a[some]] - scores[b[some]]
        found[some] = (ahead < -EQUAL).sum(axis=1) + (np.abs(ahead) <= EQUAL).sum(axis=1) / 2
    return np.asarray((found + 0.5) / (draws + 1))
