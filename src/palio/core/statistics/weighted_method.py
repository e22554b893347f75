"""Metrics of numbers: functions of weighted cases, and AUCs."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import special

from palio.core.bundle.case_metrics import ORDER, PERMUTATION, SIGN_FLIPS, CaseMetric, WrittenMetric
from palio.core.statistics.cases import Compared, Values
from palio.core.statistics.comparisons import (
    Pairs,
    are_too_many_flips,
    columns,
    draws_for,
    never_below_exact,
    pairs_of,
    sign_flip_tests,
    squared_distances,
    weighted_permutation_test,
)
from palio.core.statistics.delong import Areas, areas, mean_areas
from palio.core.statistics.draws import Redrawer
from palio.core.statistics.intervals import (
    Interval,
    NoIntervalError,
    Totals,
    area_interval,
    mean_interval,
    median_interval,
    redraw,
    stratified_mean_interval,
    weighted_interval,
)
from palio.core.statistics.metrics import Floats
from palio.core.statistics.weighted import WeightedMetric, chosen_labels, weighted_metric

_REDRAWN_PAIRS = 4_000_000  # submissions times positive times negative cases; above, redraws are normal ones
_NO_ERROR = 1e-12
_FALLBACK_DRAWS = 100_000


@dataclass(frozen=True)
class WeightedMethod:
    """Functions of weighted cases with numbers."""

    kind: str
    metric: WrittenMetric
    known: CaseMetric

    def values(self, task: Compared) -> Floats:
        of, ones = self._of(task), np.ones((1, task.cases))
        return np.array([float(of.value(rows, ones)[0]) for rows in _numbers(task).values])

    def interval(self, tasks: Sequence[Compared]) -> Interval:
        numbers, of = [_numbers(task) for task in tasks], [self._of(task) for task in tasks]
        if self.known.interval == ORDER:
            if len(tasks) > 1:
                raise NoIntervalError("there is no interval for the mean of the medians of several tasks")
            return median_interval(self._single_values(numbers[0]))
        if of[0].is_mean and self.kind != "probability":
            totals = [_totals(task, each, task.values[0]) for task, each in zip(numbers, of, strict=True)]
            return mean_interval(totals, of[0].of_mean)
        if of[0].is_mean and of[0].per_case and len(tasks) == 1:
            found = stratified_mean_interval(numbers[0], of[0].per_case(numbers[0].values[0]))
            if found:
                return found
        is_biased = self.metric.name == "ece"
        return weighted_interval(numbers, of, correct_bias=is_biased)

    def test(self, tasks: int) -> str:
        return self.known.test if tasks == 1 or self._is_plain_mean else PERMUTATION

    def p_values(self, tasks: Sequence[Compared], pairs: Pairs, of: int = 0) -> Floats:
        numbers, metrics = [_numbers(task) for task in tasks], [self._of(task) for task in tasks]
        of = max(of, len(pairs))
        draws = draws_for(of)
        if self.test(len(tasks)) == SIGN_FLIPS:
            by_task = [_parts(task, each, len(tasks)) for task, each in zip(numbers, metrics, strict=True)]
            parts = np.concatenate(by_task, axis=1)
            if are_too_many_flips(of, parts.shape[1]):
                a, b = columns(pairs)
                sums = parts.sum(axis=1)
                return never_below_exact(sums[a] - sums[b], squared_distances(parts, pairs))
            return sign_flip_tests(parts, pairs, draws=draws)
        values, listed = [each.value for each in metrics], zip(*columns(pairs), strict=True)
        return np.array([weighted_permutation_test(numbers, (a, b), values, draws=draws) for a, b in listed])

    def redrawer(self, task: Compared, submissions: int = 0) -> Redrawer:  # noqa: ARG002
        numbers, of = _numbers(task), self._of(task)
        per_case, of_mean = of.per_case, of.of_mean or np.asarray
        if per_case is None or not of.is_mean:
            return lambda size, random: _each(numbers, of, redraw(numbers, size, random))
        values = np.stack([per_case(rows) for rows in numbers.values])

        def redrawn(size: int, random: Generator) -> Floats:
            weights = redraw(numbers, size, random).astype(np.float64)
            return np.asarray(of_mean(values @ weights.T / weights.sum(axis=1)))

        return redrawn

    def chances_reversed(self, tasks: Sequence[Compared], pairs: Pairs) -> Floats | None:  # noqa: ARG002
        return None

    def case_values(self, task: Compared) -> Floats | None:
        numbers, of = _numbers(task), self._of(task)
        if of.per_case is None:
            return None
        values = np.stack([of.per_case(rows) for rows in numbers.values])
        return values if of.is_mean else -values  # R² grows as the squared errors shrink

    def mean_parts(self, task: Compared) -> Sequence[Totals] | None:
        numbers, of = _numbers(task), self._of(task)
        return [_totals(numbers, of, rows) for rows in numbers.values] if self._is_plain_mean else None

    def way(self, tasks: Sequence[Compared], submissions: int) -> str:
        of, units = pairs_of(submissions), sum(_numbers(task).unit_count for task in tasks)
        is_bound = self.test(len(tasks)) == SIGN_FLIPS and are_too_many_flips(of, units)
        return "bound" if is_bound else f"{draws_for(of)}"

    @property
    def _is_plain_mean(self) -> bool:
        """Whether a mean over tasks is also a sum over cases."""
        return self.metric.name in {"mean", "mae", "mse", "brier"}

    def _of(self, task: Compared) -> WeightedMetric:
        return weighted_metric(self.kind, self.metric, _numbers(task).labels)

    def _single_values(self, task: Values) -> Floats:
        if self.kind == "pairs":
            return np.asarray(np.abs(task.values[0, :, 1] - task.values[0, :, 0]))
        return np.asarray(task.values[0, :, task.labels.index(self.metric.argument or "")])


@dataclass(frozen=True)
class AreaMethod(WeightedMethod):
    """AUCs."""

    def interval(self, tasks: Sequence[Compared]) -> Interval:
        return area_interval(self._areas(tasks))

    def p_values(self, tasks: Sequence[Compared], pairs: Pairs, of: int = 0) -> Floats:
        found, (a, b) = self._areas(tasks), columns(pairs)
        difference, errors = np.abs(found.values[a] - found.values[b]), np.sqrt(squared_distances(found.moves, pairs))
        z = np.divide(difference, errors, out=np.zeros(len(a)), where=errors > _NO_ERROR)
        p_values = 2 * special.ndtr(-z)
        numbers, metrics = [_numbers(task) for task in tasks], [self._of(task).value for task in tasks]
        draws = draws_for(max(of, len(pairs)))
        for place in np.flatnonzero(errors <= _NO_ERROR):  # such as a perfect and a constant one
            pair = int(a[place]), int(b[place])
            p_values[place] = weighted_permutation_test(numbers, pair, metrics, draws=min(draws, _FALLBACK_DRAWS))
        return np.asarray(p_values)

    def redrawer(self, task: Compared, submissions: int = 0) -> Redrawer:
        """Of many cases, normal draws with DeLong's covariance instead: each case's move times a normal number.

        That is the Gaussian multiplier bootstrap (Chernozhukov, Chetverikov & Kato 2013, Ann. Statist. 41:2786).
        """
        found = self._areas([task])
        if not self._is_drawn_normally(found, max(submissions, task.submissions)):
            return super().redrawer(task)
        moves = found.moves.astype(np.float32)

        def redrawn(size: int, random: Generator) -> Floats:
            normal = random.standard_normal((moves.shape[1], size), dtype=np.float32)
            return np.asarray(found.values[:, np.newaxis] + moves @ normal, dtype=np.float64)

        return redrawn

    def chances_reversed(self, tasks: Sequence[Compared], pairs: Pairs) -> Floats | None:
        """The normal distribution of DeLong's test, with every difference equally likely a priori."""
        found, (a, b) = self._areas(tasks), columns(pairs)
        errors = np.sqrt(squared_distances(found.moves, pairs))
        difference = found.values[a] - found.values[b]
        z = np.divide(difference, errors, out=np.zeros(len(a)), where=errors > _NO_ERROR)
        return np.asarray(special.ndtr(-z))

    def way(self, tasks: Sequence[Compared], submissions: int) -> str:
        first = [task.chosen([0]) for task in tasks]
        draws = draws_for(pairs_of(submissions))  # which pairs without a variance need
        return f"{draws}, {[self._is_drawn_normally(self._areas([task]), submissions) for task in first]}"

    def _is_drawn_normally(self, found: Areas, submissions: int) -> bool:
        return submissions * found.positives * found.negatives > _REDRAWN_PAIRS

    def test(self, tasks: int) -> str:  # noqa: ARG002 - the same for any number
        return self.known.test

    def _areas(self, tasks: Sequence[Compared]) -> Areas:
        numbers = [_numbers(task) for task in tasks]
        found = [_areas_of(task, tuple(chosen_labels(self.metric, task.labels))) for task in numbers]
        return found[0] if len(found) == 1 else mean_areas(found)


_known_areas: WeakKeyDictionary[Values, dict[tuple[int, ...], Areas]] = WeakKeyDictionary()


def _areas_of(task: Values, labels: tuple[int, ...]) -> Areas:
    """Computed once while the cases are in use: tests, redraws and chances all start from them."""
    known = _known_areas.setdefault(task, {})
    if labels not in known:
        known[labels] = areas(task, labels)
    return known[labels]


def _numbers(task: Compared) -> Values:
    assert isinstance(task, Values)  # noqa: S101
    return task


def _each(task: Values, of: WeightedMetric, weights: NDArray[np.float32]) -> Floats:
    return np.stack([of.value(rows, weights) for rows in task.values])


def _totals(task: Values, of: WeightedMetric, rows: Floats) -> Totals:
    assert of.per_case  # noqa: S101 - only asked of means
    return Totals.of(of.per_case(rows), task.units if task.has_groups else None)


def _parts(task: Values, of: WeightedMetric, tasks: int) -> Floats:
    """What each unit adds to the metric of each submission, of shape (M, units)."""
    return np.stack([_totals(task, of, rows).sums for rows in task.values]) / (task.cases * tasks)
