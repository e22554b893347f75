"""Intervals of one submission's score: where the score on infinitely many such cases may lie."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from statistics import NormalDist

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from scipy import special

from palio.core.statistics.cases import Values
from palio.core.statistics.delong import Areas, logit_interval
from palio.core.statistics.delong import score_interval as area_score_interval
from palio.core.statistics.draws import SEED, batches, generator, redraw_counts
from palio.core.statistics.metrics import Codes, Counts, Floats, Metric
from palio.core.statistics.weighted import Sums, WeightedMetric

CONFIDENCE = 0.95
CONFUSION_DRAWS = 4_000
MEAN_DRAWS = 10_000
WEIGHTED_DRAWS = 4_000
_FEW_CASES = 100
_FEWEST_DRAWS = 0.9  # of all, that must have a value
_FEW_VALUES = 20  # different values of cases, of which the bootstrap of a mean takes a few steps only
_NEARLY_NORMAL = 0.3  # largest skewness and excess kurtosis of a bootstrap of a mean whose quantiles are expanded
_GAMMA_DRAWS_KEPT = 1_000
_MANY_CASES, _MANY_UNITS = 10_000, 1_000  # from which on sums over a redraw are drawn, and units in each stratum


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


class NoIntervalError(ValueError):
    """The cases do not tell an interval. The text is a clause."""


def beta_interval(right: int, cases: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The Jeffreys interval of a proportion: exact quantiles of Beta(right + 1/2, wrong + 1/2).

    Brown, Cai & DasGupta 2001 (Statistical Science 16:101). With no case right, or all, that end is the observed value.
    """
    low, high = special.betaincinv(right + 0.5, cases - right + 0.5, _tails(confidence))
    return Interval(0.0 if right == 0 else float(low), 1.0 if right == cases else float(high))


def confusion_interval(
    matrix: Floats, metric: Metric, *, confidence: float = CONFIDENCE, draws: int = CONFUSION_DRAWS, seed: int = SEED
) -> Interval:
    """Jeffreys-Dirichlet interval of any function of the counts, from a confusion matrix of shape (K, K).

    Draws q ~ Dirichlet(matrix + A), with A = 0.5/K on the diagonal and 0.5/(K(K-1)) off it, computes the metric of
    each and takes quantiles. The accuracy of q is distributed as Beta(right + 1/2, wrong + 1/2), which gives the
    Jeffreys interval of a proportion (Brown, Cai & DasGupta 2001, Statistical Science 16:101). As there, an observed
    value outside the quantiles, such as 1 when every case is right, becomes the end of the interval. Near 1, coverage
    stays near nominal; the bootstrap fails there, with zero width when every case is right.
    """
    return mean_confusion_interval([matrix], [metric], confidence=confidence, draws=draws, seed=seed)


def mean_confusion_interval(
    matrices: Sequence[Floats],
    metrics: Sequence[Metric],
    *,
    confidence: float = CONFIDENCE,
    draws: int = CONFUSION_DRAWS,
    seed: int = SEED,
) -> Interval:
    """The same for the mean of a metric over several tasks, each with a matrix, a function and draws of its own."""
    tasks = [*zip(matrices, metrics, strict=True)]
    values = np.mean(
        [_confusion_draws(matrix, metric, draws, (seed, task)) for task, (matrix, metric) in enumerate(tasks)], axis=0
    )
    low, high = np.quantile(values, _tails(confidence))
    observed = float(np.mean([metric(Counts.of_matrix(matrix)) for matrix, metric in tasks]))
    return Interval(min(float(low), observed), max(float(high), observed))


def wilson_interval(right: int, cases: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval (1927, JASA 22:209) of a proportion, such as an accuracy or one class's recall."""
    z = NormalDist().inv_cdf(_tails(confidence)[1])
    share = right / cases
    center = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    half = z / (1 + z * z / cases) * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    # Rounding must not move an end past the value that it equals exactly.
    return Interval(0.0 if right == 0 else center - half, 1.0 if right == cases else center + half)


@dataclass(frozen=True, eq=False)
class Totals:
    """The values of one task: their sum and number in each unit, which is a group of cases, or a single one."""

    sums: Floats
    counts: Floats

    @classmethod
    def of(cls, values: Floats, units: Codes | None = None) -> "Totals":
        if units is None:
            return cls(np.asarray(values, dtype=np.float64), np.ones(len(values)))
        return cls(np.bincount(units, values).astype(np.float64), np.bincount(units).astype(np.float64))

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())


def mean_interval(
    tasks: Sequence[Totals],
    of_mean: Callable[[Floats], Floats] | None = None,
    *,
    confidence: float = CONFIDENCE,
    draws: int = MEAN_DRAWS,
    seed: int = SEED,
) -> Interval:
    """Bootstrap interval of a mean over cases, such as Dice: BCa below 100 units, percentile from 100.

    BCa is Efron's (1987, JASA 82:171). Units are drawn, so that cases that belong together stay together. Of several
    tasks, the interval is that of the mean over tasks, and each task is drawn by itself. `of_mean` is an increasing
    function. Raises NoIntervalError for fewer than two units, and if all have the same mean. The percentiles of a
    single task are computed without draws where that is more exact (`_expanded`).
    """
    if any(len(task.sums) < 2 for task in tasks):
        raise NoIntervalError("an interval needs at least two cases, or two groups")
    moves = [(task.sums - task.mean * task.counts) / task.counts.sum() / len(tasks) for task in tasks]
    if not any(
        np.abs(of_task).max() > 1e-15 * (1 + abs(task.mean)) for of_task, task in zip(moves, tasks, strict=True)
    ):
        raise NoIntervalError("all cases have the same value, which tells nothing about other cases")
    together = of_mean or np.asarray
    if len(tasks) == 1 and (ends := _expanded(tasks[0], moves[0], confidence)):
        return Interval(*(float(together(np.asarray(end))) for end in ends))
    random = generator(seed)
    means = np.mean([together(_bootstrap_means(task, draws, random)) for task in tasks], axis=0)
    observed = float(np.mean([together(np.asarray(task.mean)) for task in tasks]))
    tails = _tails(confidence)
    if sum(len(task.sums) for task in tasks) < _FEW_CASES:
        tails = _bca_tails(np.concatenate(moves), means, observed, confidence)
    low, high = np.quantile(means, tails)
    return Interval(float(low), float(high))


def median_interval(values: Floats, *, confidence: float = CONFIDENCE) -> Interval:
    """The interval between two order statistics, which covers the median with at least this confidence.

    It follows from the binomial distribution of the number of cases below the median, whatever the distribution of the
    values. A percentile bootstrap does not cover. Raises NoIntervalError if there are too few cases.
    """
    cases, tail = len(values), _tails(confidence)[0]
    place = int(np.searchsorted(special.bdtr(np.arange(cases // 2 + 1), cases, 0.5), tail, side="right"))
    if place == 0:
        raise NoIntervalError(f"the interval of a median needs more than {cases} cases")
    ordered = np.sort(values)
    return Interval(float(ordered[place - 1]), float(ordered[cases - place]))


def area_interval(areas: Areas, *, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the only submission's AUC: DeLong's, on the logit scale.

    Where that has no width, as for a perfect AUC, it is Newcombe's score interval.
    """
    z = NormalDist().inv_cdf(_tails(confidence)[1])
    area, variance = float(areas.values[0]), float(areas.variances[0])
    if 0 < area < 1 and variance > 0:
        return Interval(*logit_interval(area, variance, z))
    return Interval(*area_score_interval(area, areas.positives, areas.negatives, z))


def weighted_interval(
    tasks: Sequence[Values],
    metrics: Sequence[WeightedMetric],
    *,
    correct_bias: bool = False,
    confidence: float = CONFIDENCE,
    draws: int = WEIGHTED_DRAWS,
    seed: int = SEED,
) -> Interval:
    """Percentile bootstrap of the only submission's metric, or of its mean over several tasks.

    Positive and negative cases are drawn by themselves (`redraw`). With `correct_bias`, the interval is the basic one
    (Davison & Hinkley 1997, 5.2), reflected at the observed value: a calibration error grows with each redraw. Of very
    many cases, the sums over a redraw are drawn instead of the cases (`_drawn_sums`).
    Raises NoIntervalError if too few redraws have a value, or if all have the same.
    """
    random = generator(seed)
    values = np.mean(
        [_redrawn(task, metric, draws, random) for task, metric in zip(tasks, metrics, strict=True)], axis=0
    )
    values = values[~np.isnan(values)]
    if len(values) < _FEWEST_DRAWS * draws:
        raise NoIntervalError("too few cases are positive, or negative")
    low, high = np.quantile(values, _tails(confidence))
    if high - low <= 1e-12:
        raise NoIntervalError("all redraws of the cases give the same value, which tells nothing about other cases")
    ones = [np.ones((1, task.cases)) for task in tasks]
    observed = float(
        np.mean([metric.value(task.values[0], one) for task, metric, one in zip(tasks, metrics, ones, strict=True)])
    )
    if correct_bias:
        low, high = max(0.0, 2 * observed - high), 2 * observed - low
    return Interval(min(float(low), observed), max(float(high), observed))


def redraw(task: Values, size: int, random: Generator) -> NDArray[np.float32]:
    """How often each case is drawn, of shape (size, n): cases that belong together are drawn together.

    Of a single label without groups, as many positive and as many negative cases are drawn as there are.
    """
    if len(strata := _strata(task)) > 1:
        weights = np.empty((task.cases, size), dtype=np.float32)
        for stratum in strata:
            weights[stratum] = redraw_counts(int(stratum.sum()), size, random)
        return weights.T
    drawn = redraw_counts(task.unit_count, size, random)
    return (drawn[task.units] if task.has_groups else drawn).T


def _redrawn(task: Values, metric: WeightedMetric, draws: int, random: Generator) -> Floats:
    rows, strata = task.values[0], _strata(task)
    if metric.sums and task.cases >= _MANY_CASES and all(stratum.sum() >= _MANY_UNITS for stratum in strata):
        return _drawn_sums(task, metric.sums(rows), draws, random)
    return np.concatenate([metric.value(rows, redraw(task, size, random)) for size in batches(draws, 4 * task.cases)])


def _drawn_sums(task: Values, sums: Sums, draws: int, random: Generator) -> Floats:
    """Normal redraws of sums over cases, with the covariance that they have in the bootstrap.

    That is the Gaussian multiplier bootstrap (Chernozhukov, Chetverikov & Kato 2013, Ann. Statist. 41:2786). 4,000
    redraws of 60,000 cases take milliseconds instead of seconds to minutes.
    """
    parts = sums.parts
    if task.has_groups:
        parts = np.stack([np.bincount(task.units, column) for column in parts.T], axis=1)
    covariance = np.zeros((parts.shape[1], parts.shape[1]))
    for stratum in _strata(task):
        moves = parts[stratum] - parts[stratum].mean(axis=0)
        covariance += moves.T @ moves
    return sums.metric(random.multivariate_normal(parts.sum(axis=0), covariance, draws, method="eigh"))


def _strata(task: Values) -> list[NDArray[np.bool_]]:
    """The units that are drawn by themselves."""
    if task.has_classes and not task.has_groups:
        positive = task.values[0, :, 0] > 0
        return [positive, ~positive]
    return [np.ones(task.unit_count, dtype=bool)]


def _confusion_draws(matrix: Floats, metric: Metric, draws: int, seed: tuple[int, int]) -> Floats:
    """The metric of `draws` matrices from the Dirichlet distribution, which is one of shares of independent gammas.

    Metrics do not depend on the sum of the counts, so the gammas are not divided by theirs.
    """
    matrix = (
        np.pad(matrix, (0, 1)) if len(matrix) == 1 else matrix
    )  # a single class can be confused with something else
    classes = len(matrix)
    off, on = 0.5 / (classes * (classes - 1)), 0.5 / classes
    empty, (of_rows, of_columns) = partial(_gammas, seed, shape=off, draws=draws), _empty_sums(seed, classes, draws)
    right, true, predicted = np.empty((classes, draws)), of_rows.copy(), of_columns.copy()
    for number in range(classes):
        right[number] = _gammas(seed, number * classes + number, float(matrix[number, number]) + on, draws)
    true += right
    predicted += right
    for row, column in zip(*np.nonzero(matrix * (1 - np.eye(classes))), strict=True):
        cell = int(row * classes + column)
        more = _gammas(seed, cell, float(matrix[row, column]) + off, draws) - empty(cell)
        true[row] += more
        predicted[column] += more
    return metric(Counts(right.T, true.T, predicted.T))


@lru_cache(8)
def _empty_sums(seed: tuple[int, int], classes: int, draws: int) -> tuple[Floats, Floats]:
    """The sums over rows and columns of the draws of all cells off the diagonal, when these are empty."""
    of_rows, of_columns = np.zeros((classes, draws)), np.zeros((classes, draws))
    for row, column in zip(*np.nonzero(1 - np.eye(classes)), strict=True):
        drawn = _gammas(seed, int(row * classes + column), 0.5 / (classes * (classes - 1)), draws)
        of_rows[row] += drawn
        of_columns[column] += drawn
    return of_rows, of_columns


@lru_cache(_GAMMA_DRAWS_KEPT)
def _gammas(seed: tuple[int, int], cell: int, shape: float, draws: int) -> Floats:
    """Drawn once for all submissions with this count in this cell, which most of them share: zero off the diagonal.

    They depend on nothing else, so a submission's interval does not depend on the others.
    """
    return Generator(PCG64([*seed, cell, round(2**32 * shape)])).standard_gamma(shape, draws)


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2


def _bootstrap_means(task: Totals, draws: int, random: Generator) -> Floats:
    units, found = len(task.sums), []
    values, often = np.unique(task.sums, return_counts=True)
    if len(values) <= _FEW_VALUES and np.ptp(task.counts) == 0:
        drawn = random.multinomial(units, often / units, draws)
        return np.asarray(drawn @ values / task.counts.sum())
    for size in batches(draws, units):
        drawn = random.integers(0, units, (size, units))
        found.append(task.sums[drawn].sum(axis=1) / task.counts[drawn].sum(axis=1))
    return np.concatenate(found)


def _expanded(task: Totals, moves: Floats, confidence: float) -> tuple[float, float] | None:
    """The percentiles of the bootstrap of a mean, computed without draws; None if draws are better.

    `moves` add up to zero: how much each unit moves the mean. A unit of more cases also moves the denominator, which
    gives bias and some skewness.
    """
    units = len(moves)
    if units < _FEW_CASES or len(np.unique(task.sums)) <= _FEW_VALUES:
        return None
    variance = float((moves**2).sum())
    shared = float((moves * task.counts).sum() / task.counts.sum())  # covariance of the mean with its denominator
    third = float((moves**3).sum()) - 6 * shared * variance
    fourth = float((moves**4).sum()) - 3 * variance**2 / units
    return _cornish_fisher(task.mean - shared, variance, third, fourth, confidence)


def _cornish_fisher(
    mean: float, variance: float, third: float, fourth: float, confidence: float
) -> tuple[float, float] | None:
    """The percentiles of a distribution from its first four cumulants; None if it is not nearly normal.

    Hall 1992 (The Bootstrap and Edgeworth Expansion, 2.5 and 3.3). Of a bootstrap of n cases, the cumulants are known
    exactly, and the error is of order n^-3/2, far below that of 10,000 draws. 60,000 cases take milliseconds.
    """
    spread = math.sqrt(variance)
    skewness, excess = third / spread**3, fourth / variance**2
    if abs(skewness) > _NEARLY_NORMAL or abs(excess) > _NEARLY_NORMAL:
        return None

    def end(tail: float) -> float:
        z = NormalDist().inv_cdf(tail)
        bent = (z * z - 1) * skewness / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skewness**2 / 36
        return mean + spread * (z + bent)

    low, high = _tails(confidence)
    return end(low), end(high)


def stratified_mean_interval(task: Values, values: Floats, *, confidence: float = CONFIDENCE) -> Interval | None:
    """The percentile bootstrap of a mean whose positive and negative cases are drawn by themselves, without draws.

    None for fewer than 100 cases of either, for cases in groups, and where draws are better.
    """
    if not task.has_classes or task.has_groups or len(np.unique(values)) <= _FEW_VALUES:
        return None
    positive, cumulants = task.values[0, :, 0] > 0, np.zeros(3)
    for stratum in (positive, ~positive):
        cases = int(stratum.sum())
        if cases < _FEW_CASES:
            return None
        moves = (values[stratum] - values[stratum].mean()) / task.cases
        variance = (moves**2).sum()
        cumulants += variance, (moves**3).sum(), (moves**4).sum() - 3 * variance**2 / cases
    variance, third, fourth = map(float, cumulants)
    ends = _cornish_fisher(float(values.mean()), variance, third, fourth, confidence) if variance > 0 else None
    return Interval(*ends) if ends else None


def _bca_tails(moves: Floats, means: Floats, observed: float, confidence: float) -> tuple[float, float]:
    """The quantiles of the bootstrap, corrected for bias and acceleration. `moves`: by how much each unit moves it."""
    share_below = float(((means < observed).mean() + (means <= observed).mean()) / 2)
    cubed = float((moves**2).sum() ** 1.5)
    if not cubed or not 0 < share_below < 1:
        return _tails(confidence)
    normal = NormalDist()
    bias = normal.inv_cdf(share_below)
    acceleration = float((moves**3).sum() / (6 * cubed))

    def corrected(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return normal.cdf(bias + z / (1 - acceleration * z))

    low, high = _tails(confidence)
    return corrected(low), corrected(high)
