"""The difference between two submissions on the same cases: its interval, and the chance that their order is wrong.

The p-value is that of the metric's test (`methods`). The interval comes from draws that keep the pairing of the cases:

    classification   the joint Jeffreys-Dirichlet distribution of truth and both predictions
    AUC              DeLong's normal distribution
    other numbers    a paired bootstrap, the same redraws for both

`standard_error` is that of the difference, for a ladder without a step (`leaderboard.ladder`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator

from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.statistics.cases import DIFFERENT, Answers, SingleCases, Values, compared
from palio.core.statistics.comparisons import EQUAL, chance_reversed, only_right
from palio.core.statistics.delong import OneClassError, areas, mean_areas
from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.intervals import CONFIDENCE, Interval, Totals, redraw
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import METRICS, Counts, Floats, Metric, of_class
from palio.core.statistics.weighted import chosen_labels, weighted_metric

DRAWS = 4_000
JOINT_DIRICHLET = "paired Jeffreys-Dirichlet"
DELONG = "DeLong's variance of the difference"
PAIRED_BOOTSTRAP = "paired percentile bootstrap"
_PRIOR = 0.5  # Jeffreys', of each of the four ways in which two predictions can be right or wrong
_FEWEST_DRAWS = 0.9  # of all, that must have a value
# The counts of cases that only one has right tell which of these is higher, up to the sizes of the classes.
_WEIGHTED_ACCURACIES = {"accuracy", "recall_weighted", "precision_weighted", "f1_weighted"}


@dataclass(frozen=True)
class Difference:
    """Of the metric of A minus that of B. `no_interval` is a clause that says why there is none.

    `only_a` are cases that only A has right; None where cases are not right or wrong. `reversed` is the chance that
    the one with the worse score is the better one; None if the scores are equal, or nothing tells it.
    """

    value_a: float
    value_b: float
    interval: Interval | None
    no_interval: str
    interval_method: str
    p_value: float
    test: str
    only_a: int | None
    only_b: int | None
    reversed: float | None
    cases: int

    @property
    def value(self) -> float:
        return self.value_a - self.value_b


def difference(
    kind: str, written: str, a: Sequence[SingleCases], b: Sequence[SingleCases], *, descending: bool = True
) -> Difference:
    """`a` and `b` are the cases of each task, usually one.

    Raises ValueError with a clause if the cases differ, or do not have what the metric needs.
    """
    if len(a) != len(b):
        raise ValueError(DIFFERENT)
    tasks = [compared(pair) for pair in zip(a, b, strict=True)]
    metric, of = WrittenMetric.parse(written), method(kind, written)
    value_a, value_b = (float(value) for value in np.mean([of.values(task) for task in tasks], axis=0))
    p_value = float(of.p_values(tasks, [(0, 1)])[0])
    answers = [task for task in tasks if isinstance(task, Answers)]
    only_a, only_b = (int(count) for count in only_right(answers, [(0, 1)])[0]) if answers else (None, None)
    interval, reason, chance = None, "", None
    observed = value_a - value_b
    try:
        spread, name = _spread(kind, metric, tasks)
        interval = spread.interval(observed)
        chance = spread.chance_reversed(observed)
    except ValueError as fault:
        reason, name = str(fault), ""
    has_order = abs(observed) > EQUAL
    is_a_ahead = (observed > 0) == descending
    if has_order and only_a is not None and only_b is not None:
        ahead, behind = (only_a, only_b) if is_a_ahead else (only_b, only_a)
        if len(tasks) == 1 and metric.name in _WEIGHTED_ACCURACIES:
            chance = chance_reversed(ahead, behind)
    return Difference(
        value_a=value_a,
        value_b=value_b,
        interval=interval,
        no_interval=reason,
        interval_method=name,
        p_value=p_value,
        test=of.test(len(tasks)),
        only_a=only_a,
        only_b=only_b,
        reversed=chance if has_order else None,
        cases=sum(task.cases for task in tasks),
    )


def standard_error(kind: str, written: str, a: Sequence[SingleCases], b: Sequence[SingleCases]) -> float:
    """Of the difference of the metric between two submissions on the same cases.

    Of means over cases, that of the mean of the paired differences, by groups if the cases have some. Of all other
    metrics, that of the distribution which also gives the interval of the difference. Zero if no case differs.

    `a` and `b` are the cases of each task, usually one. Raises ValueError with a clause if the cases differ, do not
    have what the metric needs, or nothing tells the error, as of medians.
    """
    if len(a) != len(b):
        raise ValueError(DIFFERENT)
    tasks = [compared(pair) for pair in zip(a, b, strict=True)]
    parts = [method(kind, written).mean_parts(task) for task in tasks]
    means = [part for part in parts if part is not None]
    if len(means) < len(tasks):
        return _spread(kind, WrittenMetric.parse(written), tasks)[0].error
    return float(np.sqrt(sum(_squared_error(each) for each in means))) / len(tasks)


def _squared_error(parts: Sequence[Totals]) -> float:
    """Of the difference of two means over the same units, as of a ratio of sums."""
    a, b = parts
    units, cases = len(a.sums), a.counts.sum()
    if units < 2:
        raise ValueError("a standard error needs at least two cases, or two groups")
    apart = a.sums - b.sums
    rests = apart - a.counts * (apart.sum() / cases)
    return float(units / (units - 1) * (rests**2).sum() / cases**2)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Differences in redraws, of shape (draws,)."""

    values: Floats

    def interval(self, observed: float) -> Interval:
        values = self.values[~np.isnan(self.values)]
        if len(values) < _FEWEST_DRAWS * len(self.values):
            raise ValueError("too few cases are positive, or negative")
        low, high = (float(end) for end in np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
        if high - low <= EQUAL:
            raise ValueError("all redraws of the cases give the same difference, which tells nothing about other cases")
        return Interval(min(low, observed), max(high, observed))

    @property
    def error(self) -> float:
        values = self.values[~np.isnan(self.values)]
        if len(values) < _FEWEST_DRAWS * len(self.values):
            raise ValueError("too few cases are positive, or negative")
        return float(values.std())

    def chance_reversed(self, observed: float) -> float:
        """Draws without a difference count half."""
        values = self.values[~np.isnan(self.values)] * (1 if observed > 0 else -1)
        return float((values < -EQUAL).mean() + (np.abs(values) <= EQUAL).mean() / 2)


@dataclass(frozen=True)
class _Normal:
    error: float

    def interval(self, observed: float) -> Interval:
        if self.error <= EQUAL:
            raise ValueError("no case changes the difference, which tells nothing about other cases")
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * self.error
        return Interval(max(-1.0, observed - half), min(1.0, observed + half))

    def chance_reversed(self, observed: float) -> float:
        """With every difference equally likely a priori."""
        return NormalDist().cdf(-abs(observed) / self.error)


def _spread(kind: str, metric: WrittenMetric, tasks: Sequence[Answers | Values]) -> tuple[_Drawn | _Normal, str]:
    random = generator(SEED)
    answers = [task for task in tasks if isinstance(task, Answers)]
    if answers:
        drawn = [_joint_draws(task, _of_confusion(metric, task), random) for task in answers]
        return _Drawn(np.mean(drawn, axis=0)), JOINT_DIRICHLET
    numbers = [task for task in tasks if isinstance(task, Values)]
    if metric.name == "median":
        raise ValueError("no interval of a difference of medians covers")
    if metric.name == "auc":
        try:
            found = mean_areas([areas(task, chosen_labels(metric, task.labels)) for task in numbers])
        except OneClassError as fault:
            raise ValueError(str(fault)) from None
        return _Normal(float(np.sqrt(((found.moves[0] - found.moves[1]) ** 2).sum()))), DELONG
    if any(task.unit_count < 2 for task in numbers):
        raise ValueError("an interval needs at least two cases, or two groups")
    drawn = [_paired_bootstrap(task, weighted_metric(kind, metric, task.labels).value, random) for task in numbers]
    return _Drawn(np.mean(drawn, axis=0)), PAIRED_BOOTSTRAP


def _of_confusion(metric: WrittenMetric, task: Answers) -> Metric:
    if metric.argument is None:
        return METRICS[metric.name]
    if metric.argument not in task.classes:
        raise ValueError(f"there is no class {metric.argument}; the classes are {', '.join(task.classes)}")
    return of_class(metric.name, task.classes.index(metric.argument))


def _paired_bootstrap(task: Values, metric: Callable[[Floats, Floats], Floats], random: Generator) -> Floats:
    found = []
    for size in batches(DRAWS, 8 * task.cases):
        weights = redraw(task, size, random).astype(np.float64)
        found.append(metric(task.values[0], weights) - metric(task.values[1], weights))
    return np.concatenate(found)


def _joint_draws(answers: Answers, metric: Metric, random: Generator) -> Floats:
    """Differences of the metric, of shape (draws,).

    A cell is a truth and two predictions. Observed cells get their counts. Beside them, the prior has a mass of 1/2 for
    each of the four ways in which two predictions can be right or wrong (Jeffreys'), put on one random cell of that way
    in each draw: a Dirichlet distribution with so little mass on so many cells is nearly all on one of them. Never of
    zero width.
    """
    classes = max(2, len(answers.classes))  # a single class can be confused with something else
    cells, counts = np.unique(np.stack([answers.truth, *answers.predictions]), axis=1, return_counts=True)
    identity, found = np.eye(classes), []
    for size in batches(DRAWS, 3 * cells.shape[1] + 8 * classes):
        truth = random.integers(0, classes, (4, size))
        wrong = [(truth + random.integers(1, classes, (4, size))) % classes for _ in range(2)]
        ways = [(True, True), (True, False), (False, True), (False, False)]
        said = [
            np.stack([truth[way] if is_right[of] else wrong[of][way] for way, is_right in enumerate(ways)])
            for of in range(2)
        ]
        masses = random.standard_gamma(counts.astype(np.float64), (size, len(counts)))
        prior = random.standard_gamma(_PRIOR, (4, size))
        total = masses.sum(axis=1) + prior.sum(axis=0)
        masses, prior = masses / total[:, np.newaxis], prior / total
        true = masses @ identity[cells[0]] + _placed(truth, prior, classes)
        values = []
        for of in range(2):
            right = masses @ (identity[cells[0]] * (cells[0] == cells[1 + of])[:, np.newaxis])
            right += _placed(truth, prior * (said[of] == truth), classes)
            predicted = masses @ identity[cells[1 + of]] + _placed(said[of], prior, classes)
            values.append(metric(Counts(right, true, predicted)))
        found.append(values[0] - values[1])
    return np.concatenate(found)


def _placed(classes_of: np.ndarray[tuple[int, ...], np.dtype[np.intp]], masses: Floats, classes: int) -> Floats:
    """The masses of shape (4, draws) added up in the class of each, of shape (draws, classes)."""
    added = np.zeros((masses.shape[1], classes))
    draws = np.arange(masses.shape[1])
    for of_class_, mass in zip(classes_of, masses, strict=True):
        added[draws, of_class_] += mass
    return added
