"""Metrics of classes: functions of the confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator

from palio.core.bundle.case_metrics import PERMUTATION, CaseMetric, WrittenMetric
from palio.core.statistics.cases import Answers, Compared
from palio.core.statistics.comparisons import (
    PERMUTED_PAIRS,
    Pairs,
    chances_reversed,
    columns,
    draws_for,
    exact_mcnemars,
    never_below_exact,
    only_right,
    pairs_of,
    squared_distances,
    stratified_permutation_test,
)
from palio.core.statistics.draws import Redrawer, redraw_counts
from palio.core.statistics.intervals import Interval, Totals, beta_interval, mean_confusion_interval
from palio.core.statistics.metrics import METRICS, Codes, Counts, Floats, Metric, confusion_matrix, of_class

_WEIGHTED_ACCURACIES = {"accuracy", "recall_weighted", "precision_weighted", "f1_weighted"}
_SUBMISSIONS_AT_ONCE = 20  # so that what is computed of them fits into the processor's cache
_COUNT = 0.5  # by which a count is moved for a slope


@dataclass(frozen=True)
class ConfusionMethod:
    """Functions of the confusion matrix."""

    metric: WrittenMetric
    known: CaseMetric

    def values(self, task: Compared) -> Floats:
        return np.asarray(self._of(task)(_counts(_answers(task))))

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

    def p_values(self, tasks: Sequence[Compared], pairs: Pairs, of: int = 0) -> Floats:
        answers, of = [_answers(task) for task in tasks], max(of, len(pairs))
        if self._is_accuracy and len(tasks) == 1:
            return exact_mcnemars(only_right(answers, pairs))
        if of > PERMUTED_PAIRS:
            return self._bounds(answers, pairs)
        metrics = [self._of(task) for task in tasks]
        draws, listed = draws_for(of), zip(*columns(pairs), strict=True)
        return np.array([stratified_permutation_test(answers, (a, b), metrics, draws=draws) for a, b in listed])

    def way(self, tasks: Sequence[Compared], submissions: int) -> str:
        of = pairs_of(submissions)
        if self._is_accuracy and len(tasks) == 1:
            return "exact"
        return "bound" if of > PERMUTED_PAIRS else f"{draws_for(of)}"

    def _bounds(self, tasks: Sequence[Answers], pairs: Pairs) -> Floats:
        """Exchanging the predictions for a case moves a submission's metric by the slopes of its counts.

        To first order the permutation of discordant cases is thus a sign-flip test of these moves.
        """
        a, b = columns(pairs)
        scores = np.mean([self.values(task) for task in tasks], axis=0)
        moves = np.concatenate([_moves(task, self._of(task)) for task in tasks], axis=1) / len(tasks)
        return never_below_exact(scores[a] - scores[b], squared_distances(moves, pairs))

    def redrawer(self, task: Compared, submissions: int = 0) -> Redrawer:  # noqa: ARG002
        """Counts of a redraw are sums over the wrong predictions, of which there are few: a sparse product."""
        from scipy.sparse import csr_array  # takes a while to import, and most callers do not redraw

        answers, metric = _answers(task), self._of(task)
        truth, classes = answers.truth, len(answers.classes)
        of_truth = csr_array((np.ones(len(truth), dtype=np.float32), (truth, np.arange(len(truth)))))
        blocks = []
        for start in range(0, len(answers.predictions), _SUBMISSIONS_AT_ONCE):
            said = answers.predictions[start : start + _SUBMISSIONS_AT_ONCE]
            of_team, case = np.nonzero(said != truth)
            ones, shape = np.ones(len(case), dtype=np.float32), (classes * len(said), len(truth))
            missed, claimed = (of_case * len(said) + of_team for of_case in (truth[case], said[of_team, case]))
            blocks.append((len(said), *(csr_array((ones, (rows, case)), shape) for rows in (missed, claimed))))

        def redrawn(size: int, random: Generator) -> Floats:
            drawn = redraw_counts(len(truth), size, random)
            true = np.zeros((classes, 1, size), dtype=np.float32)
            true[: of_truth.shape[0], 0] = of_truth @ drawn
            found = []
            for teams, of_missed, of_claimed in blocks:
                missed, claimed = ((each @ drawn).reshape(classes, teams, size) for each in (of_missed, of_claimed))
                # Classes come first in memory and last in shape, which is how sums over classes are fast.
                counts = (true - missed, true, true - missed + claimed)
                found.append(metric(Counts(*(np.moveaxis(each.astype(np.float64), 0, -1) for each in counts))))
            return np.concatenate(found)

        return redrawn

    def chances_reversed(self, tasks: Sequence[Compared], pairs: Pairs) -> Floats | None:
        if self.metric.name not in _WEIGHTED_ACCURACIES or len(tasks) > 1:
            return None
        return chances_reversed(only_right([_answers(task) for task in tasks], pairs))

    def case_values(self, task: Compared) -> Floats | None:
        answers = _answers(task)
        return np.asarray(answers.predictions == answers.truth, dtype=np.float64)

    def mean_parts(self, task: Compared) -> Sequence[Totals] | None:
        values = self.case_values(task) if self._is_accuracy else None
        return None if values is None else [Totals.of(each) for each in values]

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


def _answers(task: Compared) -> Answers:
    assert isinstance(task, Answers)  # noqa: S101 - the reader of the kind has made them
    return task


def _matrices(answers: Answers) -> list[Floats]:
    return [confusion_matrix(answers.truth, said, len(answers.classes)) for said in answers.predictions]


_known_counts: WeakKeyDictionary[Answers, Counts] = WeakKeyDictionary()


def _counts(answers: Answers) -> Counts:
    """Of all submissions, of shape (M, K). Counted once while the cases are in use."""
    if answers not in _known_counts:
        _known_counts[answers] = _counted(answers)
    return _known_counts[answers]


def _counted(answers: Answers) -> Counts:
    teams, classes = answers.submissions, len(answers.classes)
    first = np.arange(teams)[:, np.newaxis] * classes

    def count(cells: Codes) -> Floats:
        return np.bincount(cells.ravel(), minlength=teams * classes).reshape(teams, classes).astype(np.float64)

    is_right = answers.predictions == answers.truth
    right, predicted = count((first + answers.truth)[is_right]), count(first + answers.predictions)
    true = np.bincount(answers.truth, minlength=classes).astype(np.float64)
    return Counts(right, np.broadcast_to(true, right.shape), predicted)


def _moves(answers: Answers, metric: Metric) -> Floats:
    """Shape (M, n): how much the prediction for each case adds to the metric, by the slopes of the counts."""
    counts, classes = _counts(answers), len(answers.classes)
    of_right, of_predicted = (np.empty(counts.right.shape) for _ in range(2))
    for number in range(classes):
        step = _COUNT * (np.arange(classes) == number)
        more, less = (Counts(counts.right + sign * step, counts.true, counts.predicted) for sign in (1, -1))
        of_right[:, number] = metric(more) - metric(less)
        more, less = (Counts(counts.right, counts.true, counts.predicted + sign * step) for sign in (1, -1))
        of_predicted[:, number] = metric(more) - metric(less)
    team = np.arange(len(answers.predictions))[:, np.newaxis]
    return (
        np.where(answers.predictions == answers.truth, of_right[:, answers.truth], 0)
        + of_predicted[team, answers.predictions]
    )
