"""How each metric of bundle.case_metrics gets its value, its interval and its comparisons: one object for each metric.

`method` is the only place that knows which of them is which; everything else asks the object.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
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
    chances_reversed,
    columns,
    draws_for,
    exact_mcnemars,
    never_below_exact,
    only_right,
    sign_flip_tests,
    squared_distances,
    stratified_permutation_test,
    weighted_permutation_test,
)
from palio.core.statistics.delong import Areas, areas, mean_areas
from palio.core.statistics.draws import redraw_counts
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
    stratified_mean_interval,
    weighted_interval,
)
from palio.core.statistics.metrics import METRICS, Codes, Counts, Floats, Metric, confusion_matrix, of_class
from palio.core.statistics.weighted import WeightedMetric, chosen_labels, weighted_metric

Redrawer: TypeAlias = Callable[[int, Generator], Floats]  # number of redraws -> the metric of each, (M, redraws)
Pairs: TypeAlias = Sequence[Pair] | Codes  # or of shape (P, 2)

# Of more pairs on a leaderboard, p-values are bounds. Their work is that of pairs times draws times cases.
PERMUTED_PAIRS, FLIPPED_PAIRS = 300, 1_770  # of 25 and of 60 submissions
FLIPPED_WORK = 2e10  # submissions times draws times cases, at most
_WEIGHTED_ACCURACIES = {"accuracy", "recall_weighted", "precision_weighted", "f1_weighted"}
_REDRAWN_PAIRS = 4_000_000  # submissions times positive times negative cases; above, redraws are normal ones
_NO_ERROR = 1e-12
_FALLBACK_DRAWS = 100_000
_SUBMISSIONS_AT_ONCE = 20  # so that what is computed of them fits into the processor's cache
_COUNT = 0.5  # by which a count is moved for a slope


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

    def p_values(self, tasks: Sequence[Compared], pairs: Pairs, of: int = 0) -> Floats:
        """Two-sided, for each pair of submissions.

        `of` is the number of pairs on the leaderboard, if it has more: it decides how exact they have to be, and from
        which number on tests by random draws give way to a bound.
        """

    def redrawer(self, task: Compared, submissions: int = 0) -> Redrawer:
        """Redraws the cases, the same for all submissions. `submissions` is their number if there are more."""

    def way(self, tasks: Sequence[Compared], submissions: int) -> str:
        """How p-values and redraws of a leaderboard of so many are computed.

        While it stays the same, those of a pair and of a submission do not depend on the others.
        """

    def chances_reversed(self, tasks: Sequence[Compared], pairs: Pairs) -> Floats | None:
        """For each pair the probability that the second, which is shown behind, is the better one.

        None if the metric tells it only from redraws (`ranks.share_reversed`).
        """

    def case_values(self, task: Compared) -> Floats | None:
        """What each case says of each submission, of shape (M, n), higher or lower as the metric; None if nothing."""

    def mean_parts(self, task: Compared) -> Sequence[Totals] | None:
        """For each submission the totals whose mean is the metric; None if it is no mean over cases."""


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
        of = _pairs_of(submissions)
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
            if _is_too_much(of, parts.shape[1]):
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
        of, units = _pairs_of(submissions), sum(_numbers(task).unit_count for task in tasks)
        is_bound = self.test(len(tasks)) == SIGN_FLIPS and _is_too_much(of, units)
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
class _OfArea(_OfWeights):
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
        draws = draws_for(_pairs_of(submissions))  # which pairs without a variance need
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


def _pairs_of(submissions: int) -> int:
    return submissions * (submissions - 1) // 2


def _is_too_much(pairs: int, units: int) -> bool:
    """Whether sign-flip tests of all pairs of a leaderboard would take too long."""
    submissions = (1 + math.isqrt(1 + 8 * pairs)) // 2
    return pairs > FLIPPED_PAIRS or submissions * draws_for(pairs) * units > FLIPPED_WORK


def _answers(task: Compared) -> Answers:
    assert isinstance(task, Answers)  # noqa: S101 - the reader of the kind has made them
    return task


def _numbers(task: Compared) -> Values:
    assert isinstance(task, Values)  # noqa: S101
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


def _each(task: Values, of: WeightedMetric, weights: NDArray[np.float32]) -> Floats:
    return np.stack([of.value(rows, weights) for rows in task.values])


def _totals(task: Values, of: WeightedMetric, rows: Floats) -> Totals:
    assert of.per_case  # noqa: S101 - only asked of means
    return Totals.of(of.per_case(rows), task.units if task.has_groups else None)


def _parts(task: Values, of: WeightedMetric, tasks: int) -> Floats:
    """What each unit adds to the metric of each submission, of shape (M, units)."""
    return np.stack([_totals(task, of, rows).sums for rows in task.values]) / (task.cases * tasks)
