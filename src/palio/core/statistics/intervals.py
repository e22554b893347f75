"""Intervals of one submission's score: where the score on infinitely many such cases may lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator

from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.metrics import METRICS, Counts, Floats

CONFIDENCE = 0.95
CONFUSION_DRAWS = 4_000
MEAN_DRAWS = 10_000
_FEW_CASES = 100


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def confusion_interval(
    matrix: Floats, metric: str, *, confidence: float = CONFIDENCE, draws: int = CONFUSION_DRAWS, seed: int = SEED
) -> Interval:
    """Jeffreys-Dirichlet interval of any metric in METRICS, from a confusion matrix of shape (K, K).

    Draws q ~ Dirichlet(matrix + A), with A = 0.5/K on the diagonal and 0.5/(K(K-1)) off it, computes the metric of
    each and takes quantiles. The accuracy of q is distributed as Beta(right + 1/2, wrong + 1/2), which gives the
    Jeffreys interval of a proportion (Brown, Cai & DasGupta 2001, Statistical Science 16:101). As there, an observed
    value outside the quantiles, such as 1 when every case is right, becomes the end of the interval. Near 1, coverage
    stays near nominal; the bootstrap fails there, with zero width when every case is right.
    """
    return mean_confusion_interval([matrix], metric, confidence=confidence, draws=draws, seed=seed)


def mean_confusion_interval(
    matrices: Sequence[Floats],
    metric: str,
    *,
    confidence: float = CONFIDENCE,
    draws: int = CONFUSION_DRAWS,
    seed: int = SEED,
) -> Interval:
    """The same for the mean of a metric over several tasks, each with a confusion matrix and draws of its own."""
    random = generator(seed)
    values = np.mean([_confusion_draws(matrix, metric, draws, random) for matrix in matrices], axis=0)
    low, high = np.quantile(values, _tails(confidence))
    observed = float(np.mean([METRICS[metric](Counts.of_matrix(matrix)) for matrix in matrices]))
    return Interval(min(float(low), observed), max(float(high), observed))


def wilson_interval(right: int, cases: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval (1927, JASA 22:209) of a proportion, such as an accuracy or one class's recall."""
    z = NormalDist().inv_cdf(_tails(confidence)[1])
    share = right / cases
    center = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    half = z / (1 + z * z / cases) * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    # Rounding must not move an end past the value that it equals exactly.
    return Interval(0.0 if right == 0 else center - half, 1.0 if right == cases else center + half)


def mean_interval(
    values: Sequence[float], *, confidence: float = CONFIDENCE, draws: int = MEAN_DRAWS, seed: int = SEED
) -> Interval:
    """Bootstrap interval of a mean over cases, such as Dice: BCa below 100 cases, percentile from 100.

    BCa is Efron's (1987, JASA 82:171). The width is zero if all values are equal. Raises ValueError for fewer than two
    values.
    """
    if len(values) < 2:
        raise ValueError("an interval needs at least two cases")
    sample = np.asarray(values, dtype=np.float64)
    means = _bootstrap_means(sample, draws, seed)
    tails = _bca_tails(sample, means, confidence) if len(sample) < _FEW_CASES else _tails(confidence)
    low, high = np.quantile(means, tails)
    return Interval(float(low), float(high))


def _confusion_draws(matrix: Floats, metric: str, draws: int, random: Generator) -> Floats:
    matrix = (
        np.pad(matrix, (0, 1)) if len(matrix) == 1 else matrix
    )  # a single class can be confused with something else
    classes = len(matrix)
    prior = np.full((classes, classes), 0.5 / (classes * (classes - 1)))
    np.fill_diagonal(prior, 0.5 / classes)
    shape = (-1, classes, classes)
    values = [
        METRICS[metric](Counts.of_matrix(random.dirichlet((matrix + prior).ravel(), size).reshape(shape)))
        for size in batches(draws, prior.size)
    ]
    return np.concatenate(values)


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2


def _bootstrap_means(sample: Floats, draws: int, seed: int) -> Floats:
    random, cases = generator(seed), len(sample)
    parts = [
        sample[random.integers(0, cases, (size, cases))].mean(axis=1) for size in batches(draws, numbers_per_draw=cases)
    ]
    return np.concatenate(parts)


def _bca_tails(sample: Floats, means: Floats, confidence: float) -> tuple[float, float]:
    """The quantiles of the bootstrap, corrected for bias and acceleration."""
    mean = sample.mean()
    share_below = ((means < mean).mean() + (means <= mean).mean()) / 2
    spread = sample - mean  # of the jackknife's means, up to a factor that cancels
    cubed = (spread**2).sum() ** 1.5
    if not cubed or not 0 < share_below < 1:
        return _tails(confidence)
    normal = NormalDist()
    bias = normal.inv_cdf(float(share_below))
    acceleration = float((spread**3).sum() / (6 * cubed))

    def corrected(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return normal.cdf(bias + z / (1 - acceleration * z))

    low, high = _tails(confidence)
    return corrected(low), corrected(high)
