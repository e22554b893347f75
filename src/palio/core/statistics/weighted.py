"""Metrics of weighted cases: what bootstrap and permutation tests draw, for kinds of cases with numbers.

A bootstrap gives each case a weight, how often it was drawn. A paired permutation takes the rows of two submissions
together and gives each a weight of one or zero. Both are rows of one matrix of weights, so a metric is a function of

    rows      shape (n, columns), as in Measurements
    weights   shape (draws, n), whole numbers

and returns shape (draws,). Means of values of single cases are also functions of these values (`per_case`). Of very
many cases, sums over a redraw are normal, and some metrics are functions of a few such sums (`sums`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.statistics.metrics import Floats

THRESHOLD = 0.5  # from which f1 takes a probability as a yes
BINS = 10  # of equal width, for the calibration error
_ROUNDING = 1e-9

Weights: TypeAlias = NDArray[np.floating[Any]]
Weighted: TypeAlias = Callable[[Floats, Weights], Floats]
PerCase: TypeAlias = Callable[[Floats], Floats]  # rows -> shape (n,)


@dataclass(frozen=True, eq=False)
class Sums:
    """A metric as a function of sums over cases: what each case adds to them, of shape (n, sums), and the function of
    sums of shape (draws, sums), which returns shape (draws,)."""

    parts: Floats
    metric: Callable[[Floats], Floats]


@dataclass(frozen=True)
class WeightedMetric:
    """A metric, and for some the values of single cases whose mean decides which of two submissions is better.

    With `is_mean`, the metric is the mean of `per_case`, or `of_mean` of it. `sums` of rows is exact or, for average
    precision, exact to first order in the weights.
    """

    value: Weighted
    per_case: PerCase | None = None
    is_mean: bool = False
    of_mean: Callable[[Floats], Floats] | None = None
    sums: Callable[[Floats], Sums] | None = None


def weighted_metric(kind: str, metric: WrittenMetric, labels: Sequence[str]) -> WeightedMetric:
    """The metric of cases with these labels. Raises ValueError with a clause for a label that the cases do not have."""
    if kind == "probability":
        return _of_probability(metric, labels)
    if kind == "pairs":
        return _OF_PAIRS[metric.name]
    column = labels.index(metric.argument or "")
    if metric.name == "median":
        return WeightedMetric(lambda rows, weights: _median(rows[:, column], weights))
    return _mean_of(lambda rows: rows[:, column])


def chosen_labels(metric: WrittenMetric, labels: Sequence[str]) -> list[int]:
    """The numbers of the labels over which a metric of probabilities is averaged."""
    if metric.argument is None or metric.name == "sensitivity_at_specificity":
        return [*range(len(labels))]
    if metric.argument not in labels:
        named = "the cases have one label without a name" if labels == ("",) else f"the labels are {', '.join(labels)}"
        raise ValueError(f"there is no label {metric.argument}; {named}")
    return [labels.index(metric.argument)]


def _of_probability(metric: WrittenMetric, labels: Sequence[str]) -> WeightedMetric:
    chosen, count = chosen_labels(metric, labels), len(labels)
    if metric.name == "brier":
        return _mean_of(lambda rows: np.mean([(rows[:, count + at] - rows[:, at]) ** 2 for at in chosen], axis=0))
    of_label = _OF_LABEL.get(metric.name) or partial(_sensitivity, specificity=metric.share)

    def value(rows: Floats, weights: Weights) -> Floats:
        found = [of_label(rows[:, at], rows[:, count + at], weights) for at in chosen]
        return np.asarray(np.mean(found, axis=0))

    of_sums = _SUMS.get(metric.name)

    def sums(rows: Floats) -> Sums:
        assert of_sums  # noqa: S101 - only asked of these
        found = [of_sums(rows[:, at], rows[:, count + at]) for at in chosen]
        ends = np.cumsum([each.parts.shape[1] for each in found])[:-1]

        def mean(drawn: Floats) -> Floats:
            of_labels = zip(found, np.split(drawn, ends, axis=1), strict=True)
            return np.asarray(np.mean([each.metric(own) for each, own in of_labels], axis=0))

        return Sums(np.concatenate([each.parts for each in found], axis=1), mean)

    return WeightedMetric(value, sums=sums if of_sums else None)


def _mean_of(per_case: PerCase, of_mean: Callable[[Floats], Floats] | None = None) -> WeightedMetric:
    def value(rows: Floats, weights: Weights) -> Floats:
        mean = weights @ per_case(rows) / weights.sum(axis=1)
        return of_mean(mean) if of_mean else np.asarray(mean)

    return WeightedMetric(value, per_case, is_mean=True, of_mean=of_mean)


# -- one label: truth and score have shape (n,)


@dataclass(frozen=True)
class _Curve:
    """Positive and negative weight with at least each of the different scores, highest first: shape (draws, scores)."""

    positive: Floats
    negative: Floats

    @classmethod
    def of(cls, truth: Floats, score: Floats, weights: Weights) -> "_Curve":
        order = np.argsort(-score, kind="stable")
        last = np.flatnonzero(np.diff(score[order], append=np.inf))  # of each group of equal scores
        positive = np.cumsum(weights[:, order] * truth[order], axis=1)[:, last]
        negative = np.cumsum(weights[:, order] * (1 - truth[order]), axis=1)[:, last]
        return cls(positive, negative)

    @property
    def sensitivity(self) -> Floats:
        return _ratio(self.positive, self.positive[:, -1:])

    @property
    def false_alarms(self) -> Floats:
        """1 - specificity."""
        return _ratio(self.negative, self.negative[:, -1:])


def _area(truth: Floats, score: Floats, weights: Weights) -> Floats:
    """The area under the ROC curve, by trapezoids: ties count half."""
    curve = _Curve.of(truth, score, weights)
    sensitivity, false_alarms = curve.sensitivity, curve.false_alarms
    middle = sensitivity - np.diff(sensitivity, axis=1, prepend=0) / 2
    return np.asarray((np.diff(false_alarms, axis=1, prepend=0) * middle).sum(axis=1))


def _average_precision(truth: Floats, score: Floats, weights: Weights) -> Floats:
    """The sum over thresholds of precision times gained recall, as in scikit-learn."""
    curve = _Curve.of(truth, score, weights)
    precision = _ratio(curve.positive, curve.positive + curve.negative, empty=0)
    return np.asarray((np.diff(curve.sensitivity, axis=1, prepend=0) * precision).sum(axis=1))


def _average_precision_sums(truth: Floats, score: Floats) -> Sums:
    """Its slope by the weight of each case, whose sum over a redraw is how much it moves, to first order."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.inf))  # of each group of equal scores
    group = np.empty(len(score), dtype=np.intp)
    group[order] = np.repeat(np.arange(len(last)), np.diff(last, prepend=-1))
    positive, both = np.cumsum(truth[order])[last], last + 1.0
    gained, precision = np.diff(positive, prepend=0), positive / both
    value = float((gained * precision).sum() / positive[-1])
    by_positive, by_negative = ((gained * by / both**2)[::-1].cumsum()[::-1] for by in (both - positive, -positive))
    slopes = np.where(truth > 0, (precision + by_positive - value)[group], by_negative[group]) / positive[-1]
    return Sums(slopes[:, np.newaxis], lambda drawn: value + drawn[:, 0] - slopes.sum())


def _sensitivity(truth: Floats, score: Floats, weights: Weights, *, specificity: float) -> Floats:
    """The largest sensitivity of any threshold with at least this specificity; 0 if only "never" has it."""
    curve = _Curve.of(truth, score, weights)
    allowed = curve.false_alarms <= 1 - specificity + _ROUNDING
    return np.asarray(np.where(allowed, curve.sensitivity, 0 * curve.sensitivity).max(axis=1))


def _f1(truth: Floats, score: Floats, weights: Weights) -> Floats:
    said = (score >= THRESHOLD).astype(np.float64)
    return _ratio(2 * (weights @ (truth * said)), weights @ (truth + said), empty=0)


def _calibration_error(truth: Floats, score: Floats, weights: Weights) -> Floats:
    """The expected calibration error: over bins of the score, the mean distance of score and share of positives."""
    bins = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    of_bin = (truth - score)[:, np.newaxis] * np.eye(BINS)[bins]
    return np.asarray(np.abs(weights @ of_bin).sum(axis=1) / weights.sum(axis=1))


def _calibration_sums(truth: Floats, score: Floats) -> Sums:
    bins = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    of_bin = (truth - score)[:, np.newaxis] * np.eye(BINS)[bins]
    parts = np.column_stack([of_bin, np.ones(len(truth))])
    return Sums(parts, lambda drawn: np.asarray(np.abs(drawn[:, :-1]).sum(axis=1) / drawn[:, -1]))


def _f1_sums(truth: Floats, score: Floats) -> Sums:
    said = (score >= THRESHOLD).astype(np.float64)
    parts = np.column_stack([2 * truth * said, truth + said])
    return Sums(parts, lambda drawn: _ratio(drawn[:, 0], drawn[:, 1], empty=0))


_OF_LABEL: dict[str, Callable[[Floats, Floats, Weights], Floats]] = {
    "auc": _area,
    "average_precision": _average_precision,
    "f1": _f1,
    "ece": _calibration_error,
}
_SUMS: dict[str, Callable[[Floats, Floats], Sums]] = {
    "average_precision": _average_precision_sums,
    "f1": _f1_sums,
    "ece": _calibration_sums,
}


# -- pairs of numbers: the columns are truth and prediction


def _absolute_error(rows: Floats) -> Floats:
    return np.asarray(np.abs(rows[:, 1] - rows[:, 0]))


def _squared_error(rows: Floats) -> Floats:
    return np.asarray((rows[:, 1] - rows[:, 0]) ** 2)


def _determination(rows: Floats, weights: Weights) -> Floats:
    """The coefficient of determination. The truth is centered first, so that no digits are lost."""
    truth, total = rows[:, 0] - rows[:, 0].mean(), weights.sum(axis=1)
    spread = weights @ truth**2 - (weights @ truth) ** 2 / total
    return 1 - _ratio(weights @ _squared_error(rows), spread)


def _median(values: Floats, weights: Weights) -> Floats:
    order = np.argsort(values)
    below, total = np.cumsum(weights[:, order], axis=1), weights.sum(axis=1, keepdims=True)
    low = (below < (total + 1) // 2).sum(axis=1)
    high = (below < total // 2 + 1).sum(axis=1)
    return np.asarray((values[order][low] + values[order][high]) / 2)


_OF_PAIRS: dict[str, WeightedMetric] = {
    "mae": _mean_of(_absolute_error),
    "mse": _mean_of(_squared_error),
    "rmse": _mean_of(_squared_error, np.sqrt),
    "median_absolute_error": WeightedMetric(lambda rows, weights: _median(_absolute_error(rows), weights)),
    # Of two submissions for the same cases, the one with the smaller squared error has the larger value.
    "r2": WeightedMetric(_determination, _squared_error),
}


def _ratio(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    """`empty` where the whole is zero: NaN, if such a draw has no value, such as one without positive cases."""
    shape = np.broadcast_shapes(np.shape(part), np.shape(whole))
    has_value = np.broadcast_to(np.asarray(whole) > 0, shape)
    return np.asarray(np.divide(part, whole, out=np.full(shape, float(empty)), where=has_value))
