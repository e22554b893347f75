"""How each metric of bundle.case_metrics gets its value, its interval and its comparisons: one object for each metric.

`method` is the only place that knows which of them is which; everything else asks the object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from scipy import special

from palio.core.bundle.case_metrics import (
    ORDER,
    PERMUTATION,
    SIGN_FLIPS,
    CaseMetric,
    WrittenMetric,
    case_metric,
)
from palio.core.statistics.cases import Answers, Compared, Values
from palio.core.statistics.comparisons import (
    Pair,
    draws_for,
    exact_mcnemar,
    only_right,
    sign_flip_tests,
    stratified_permutation_test,
    weighted_permutation_test,
)
from palio.core.statistics.delong import Areas, areas, mean_areas
from palio.core.statistics.intervals import (
    Interval,
    NoIntervalError,
    Totals,
    area_interval,
    beta_interval,
    mean_confusion_interval,
    mean_interval,
    median_interval,
    redraw,
    weighted_interval,
)
from palio.core.statistics.metrics import METRICS, Counts, Floats, Metric, confusion_matrix, of_class
from palio.core.statistics.weighted import WeightedMetric, chosen_labels, weighted_metric


class Method(Protocol):
    """Of one metric. `tasks` are the cases of each task, usually one; several give the mean over tasks.

    All raise ValueError with a clause if the cases do not have what the metric needs, such as its class.
    """

    def values(self, task: Compared) -> Floats:
        """The metric of each of the M submissions, of shape (M,)."""

    def interval(self, tasks: Sequence[Compared]) -> Interval:
        """Of the only submission."""

    def test(self, tasks: int) -> str:
        """The name of the test by which two submissions are compared."""

    def p_values(self, tasks: Sequence[Compared], pairs: Sequence[Pair]) -> list[float]:
        """Two-sided, for each pair of submissions."""

    def redrawn(self, task: Compared, size: int, random: Generator) -> Floats:
        """The metric of each submission in redraws of the cases that all share, of shape (M, size)."""


def method(kind: str, written: str) -> Method:
    """Raises ValueError with a sentence, without its full stop, for what is not a metric of this kind."""
    known, metric = case_metric(kind, written), WrittenMetric.parse(written)
    if kind == "classification":
        return _OfConfusion(metric, known)
    if metric.name == "auc":
        return _OfArea(kind, metric, known)
    return _OfWeights(kind, metric, known)


@dataclass(frozen=True)
class _OfConfusion:
    """Functions of the confusion matrix."""

    metric: WrittenMetric
    known: CaseMetric

    def values(self, task: Compared) -> Floats:
        answers, metric = _answers(task), self._of(task)
        return np.array([float(metric(Counts.of_matrix(each))) for each in _matrices(answers)])

    def interval(self, tasks: Sequence[Compared]) -> Interval:
        (matrices, (metric, *more)) = (
            [_matrices(_answers(task))[0] for task in tasks],
            [self._of(task) for task in tasks],
        )
        if self._is_accuracy and not more:
            return beta_interval(int(np.trace(matrices[0])), int(matrices[0].sum()))
        return mean_confusion_interval(matrices, [metric, *more])

    def test(self, tasks: int) -> str:
        return self.known.test if tasks == 1 or not self._is_accuracy else PERMUTATION

    def p_values(self, tasks: Sequence[Compared], pairs: Sequence[Pair]) -> list[float]:
        answers = [_answers(task) for task in tasks]
        if self._is_accuracy and len(tasks) == 1:
            return [exact_mcnemar(*counts) for counts in only_right(answers, pairs)]
        metrics = [self._of(task) for task in tasks]
        return [stratified_permutation_test(answers, pair, metrics, draws=draws_for(len(pairs))) for pair in pairs]

    def redrawn(self, task: Compared, size: int, random: Generator) -> Floats:
        answers, metric = _answers(task), self._of(task)
        cases, identity = answers.cases, np.eye(len(answers.classes))
        weights = random.multinomial(cases, np.full(cases, 1 / cases), size).astype(np.float64)
        true, found = weights @ identity[answers.truth], []
        for said in answers.predictions:
            predicted = identity[said]
            right = predicted * (said == answers.truth)[:, np.newaxis]
            found.append(metric(Counts(weights @ right, true, weights @ predicted)))
        return np.stack(found)

    @property
    def _is_accuracy(self) -> bool:
        return self.metric.name in {"accuracy", "recall_weighted"}

    def _of(self, task: Compared) -> Metric:
        if self.metric.argument is None:
            return METRICS[self.metric.name]
        classes = _answers(task).classes
        if self.metric.argument not in classes:
            raise ValueError(f"there is no class {self.metric.argument}; the classes are {', '.join(classes)}")
        return of_class(self.metric.name, classes.index(self.metric.argument))


@dataclass(frozen=True)
class _OfWeights:
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
        is_biased = self.metric.name == "ece"
        return weighted_interval(numbers, [each.value for each in of], correct_bias=is_biased)

    def test(self, tasks: int) -> str:
        return self.known.test if tasks == 1 or self._is_plain_mean else PERMUTATION

    def p_values(self, tasks: Sequence[Compared], pairs: Sequence[Pair]) -> list[float]:
        numbers, of = [_numbers(task) for task in tasks], [self._of(task) for task in tasks]
        if self.test(len(tasks)) == SIGN_FLIPS:
            parts = [_parts(task, each, len(tasks)) for task, each in zip(numbers, of, strict=True)]
            return sign_flip_tests(np.concatenate(parts, axis=1), pairs)
        draws = draws_for(len(pairs))
        return [weighted_permutation_test(numbers, pair, [each.value for each in of], draws=draws) for pair in pairs]

    def redrawn(self, task: Compared, size: int, random: Generator) -> Floats:
        numbers, of = _numbers(task), self._of(task)
        weights = redraw(numbers, size, random)
        return np.stack([of.value(rows, weights) for rows in numbers.values])

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
class _OfArea(_OfWeights):
    """AUCs."""

    def interval(self, tasks: Sequence[Compared]) -> Interval:
        return area_interval(self._areas(tasks))

    def p_values(self, tasks: Sequence[Compared], pairs: Sequence[Pair]) -> list[float]:
        found, p_values = self._areas(tasks), list[float]()
        for a, b in pairs:
            difference = abs(found.values[a] - found.values[b])
            error = float(np.sqrt(((found.moves[a] - found.moves[b]) ** 2).sum()))
            if error > 1e-12:
                p_values.append(float(2 * special.ndtr(-difference / error)))
            else:  # such as a perfect and a constant one
                numbers, metrics = [_numbers(task) for task in tasks], [self._of(task).value for task in tasks]
                draws = draws_for(len(pairs))
                p_values.append(weighted_permutation_test(numbers, (a, b), metrics, draws=draws))
        return p_values

    def test(self, tasks: int) -> str:  # noqa: ARG002 - the same for any number
        return self.known.test

    def _areas(self, tasks: Sequence[Compared]) -> Areas:
        numbers = [_numbers(task) for task in tasks]
        return mean_areas([areas(task, chosen_labels(self.metric, task.labels)) for task in numbers])


def _answers(task: Compared) -> Answers:
    assert isinstance(task, Answers)  # noqa: S101 - the reader of the kind has made them
    return task


def _numbers(task: Compared) -> Values:
    assert isinstance(task, Values)  # noqa: S101
    return task


def _matrices(answers: Answers) -> list[Floats]:
    return [confusion_matrix(answers.truth, said, len(answers.classes)) for said in answers.predictions]


def _totals(task: Values, of: WeightedMetric, rows: Floats) -> Totals:
    assert of.per_case  # noqa: S101 - only asked of means
    return Totals.of(of.per_case(rows), task.units if task.has_groups else None)


def _parts(task: Values, of: WeightedMetric, tasks: int) -> Floats:
    """What each unit adds to the metric of each submission, of shape (M, units)."""
    return np.stack([_totals(task, of, rows).sums for rows in task.values]) / (task.cases * tasks)
