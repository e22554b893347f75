"""Rank ranges and rank frequencies.

The range is the statement about a rank. Frequencies are an illustration, not an interval: as one, they would miss the
true rank too often.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.random import Generator

from palio.core.statistics.cases import Answers
from palio.core.statistics.comparisons import EQUAL, Comparison
from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.metrics import METRICS, Counts, Floats

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


def rank_frequencies(tasks: Sequence[Answers], metric: str, *, draws: int = REDRAWS, seed: int = SEED) -> Floats:
    """Shape (M, M): how often submission i (row) has rank j + 1 (column) if the cases are drawn again.

    A bootstrap over the cases of each task, in which all submissions get the same redraws; equal scores share the
    better rank. The score is the mean of the metric over the tasks, usually one.
    """
    runs = len(tasks[0].predictions)
    random = generator(seed)
    places = np.zeros((runs, runs))
    for size in batches(draws, sum(len(answers.truth) for answers in tasks)):
        scores = np.mean([_scores_redrawn(answers, metric, size, random) for answers in tasks], axis=0)
        for run in range(runs):
            better = (scores > scores[run] + EQUAL).sum(axis=0)
            places[run] += np.bincount(better, minlength=runs)
    return places / draws


def _scores_redrawn(answers: Answers, metric: str, size: int, random: Generator) -> Floats:
    """Shape (M, size)."""
    runs, cases = answers.predictions.shape
    identity = np.eye(len(answers.classes))
    weights = random.multinomial(cases, np.full(cases, 1 / cases), size).astype(np.float64)
    true = weights @ identity[answers.truth]
    return np.stack([_redrawn(weights, true, answers, run, identity, metric) for run in range(runs)])


def _redrawn(weights: Floats, true: Floats, answers: Answers, run: int, identity: Floats, metric: str) -> Floats:
    said = answers.predictions[run]
    predicted = identity[said]
    right = predicted * (said == answers.truth)[:, np.newaxis]
    return METRICS[metric](Counts(weights @ right, true, weights @ predicted))
