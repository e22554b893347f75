"""Tests of whether two submissions differ on the same cases, and of whether their order may be wrong.

Of M submissions, all pairs are tested at once, because there are 124,750 of 500: the sum of squared differences of two
rows is part of one matrix product. Random tests of so many pairs would take hours, as Holm's correction needs 40 draws
for each pair. `never_below_exact` stands in for them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from palio.core.statistics.cases import Answers, Values
from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.metrics import Codes, Counts, Floats, Metric
from palio.core.statistics.weighted import Weighted

PERMUTATION_DRAWS = 10_000
EQUAL = 1e-12  # scores no further apart than this are equal
GAUSSIAN_BOUND = 1 / (4 * float(special.ndtr(-(2**0.5))))  # 3.178, of Bentkus and Dzindzalieta
_EXACT_BELOW = 200  # discordant cases; up to here, the binomial test is computed in whole numbers
_SORTED_BELOW = 100  # over the number of pairs: p-values that are sorted, if that is enough
_LOST = 1e-6  # a sum of squares below this share of its parts has lost digits
_AT_ONCE = 2_000_000  # numbers
_PAIRS_AT_ONCE = 2_000  # of sign-flip tests
_PAIR_COSTS = 4  # times a number of a matrix product, if the cases that both have right are counted pair by pair

# Of more pairs on a leaderboard, p-values are bounds. Their work is that of pairs times draws times cases.
PERMUTED_PAIRS, FLIPPED_PAIRS = 300, 1_770  # of 25 and of 60 submissions
FLIPPED_WORK = 2e10  # submissions times draws times cases, at most

Pair: TypeAlias = tuple[int, int]  # two submissions, by number
Pairs: TypeAlias = Sequence[Pair] | Codes  # or of shape (P, 2)


@dataclass(frozen=True)
class Comparison:
    """Two submissions, by number. `adjusted` is the p-value after Holm, over all compared pairs.

    `only_a` are cases that only `a` has right; both are None where cases are not right or wrong.
    """

    a: int
    b: int
    only_a: int | None
    only_b: int | None
    p_value: float
    adjusted: float


def draws_for(pairs: int) -> int:
    """10,000 draws give no p-value below 1/10,001, which Holm over more than 500 pairs never calls significant."""
    return max(PERMUTATION_DRAWS, 40 * pairs)


def pairs_of(submissions: int) -> int:
    return submissions * (submissions - 1) // 2


def are_too_many_flips(pairs: int, units: int) -> bool:
    """Whether sign-flip tests of all pairs of a leaderboard would take too long."""
    submissions = (1 + math.isqrt(1 + 8 * pairs)) // 2
    return pairs > FLIPPED_PAIRS or submissions * draws_for(pairs) * units > FLIPPED_WORK


def only_right(tasks: Sequence[Answers], pairs: Pairs) -> Codes:
    """For each of P pairs the number of cases that only one of the two has right, over all tasks: shape (P, 2)."""
    right = np.concatenate([answers.predictions == answers.truth for answers in tasks], axis=1)
    a, b = columns(pairs)
    some = np.unique(a)  # of a single new submission, one row
    if len(a) * _PAIR_COSTS < len(some) * len(right):  # such as neighbors
        both = _right_in_both(right, a, b)
    else:
        numbers = right.astype(np.float32)
        both = (numbers[some] @ numbers.T)[np.searchsorted(some, a), b].astype(np.intp)  # exact below 2^24 cases
    count = np.count_nonzero(right, axis=1)
    return np.stack([count[a] - both, count[b] - both], axis=1).astype(np.intp)


def _right_in_both(right: NDArray[np.bool_], a: Codes, b: Codes) -> Codes:
    found, size = np.empty(len(a), dtype=np.intp), max(1, _AT_ONCE // max(1, right.shape[1]))
    for start in range(0, len(a), size):
        some = slice(start, start + size)
        found[some] = np.count_nonzero(right[a[some]] & right[b[some]], axis=1)
    return found


def columns(pairs: Pairs) -> tuple[Codes, Codes]:
    """The first and the second submissions of the pairs, each of shape (P,)."""
    first, second = np.asarray(pairs, dtype=np.intp).reshape(-1, 2).T
    return first, second


def exact_mcnemars(counts: Codes) -> Floats:
    """`exact_mcnemar` of counts of shape (P, 2). Many pairs have the same counts."""
    fewer, more = counts.min(axis=1), counts.max(axis=1)
    total = fewer + more
    p_values = np.minimum(1.0, 2 * special.bdtr(fewer, total, 0.5))
    small = total <= _EXACT_BELOW
    codes, which = np.unique(fewer[small] * (_EXACT_BELOW + 1) + more[small], return_inverse=True)
    exact = [exact_mcnemar(*divmod(int(code), _EXACT_BELOW + 1)) for code in codes]
    p_values[small] = np.array(exact)[which] if exact else []
    return np.asarray(p_values)


def chances_reversed(counts: Codes) -> Floats:
    """`chance_reversed` of counts of shape (P, 2): cases that only the one ahead, and only the one behind has right."""
    ahead, behind = counts[:, 0], counts[:, 1]
    return np.asarray(special.bdtr(behind, ahead + behind + 1, 0.5))


def squared_distances(rows: Floats, pairs: Pairs) -> Floats:
    """The sum of the squared differences of two rows of shape (units,), for each pair: one matrix product."""
    a, b = columns(pairs)
    some = np.unique(a)
    of_rows = np.einsum("ij,ij->i", rows, rows)
    whole = of_rows[a] + of_rows[b]
    found = whole - 2 * (rows[some] @ rows.T)[np.searchsorted(some, a), b]
    lost = np.flatnonzero(found <= _LOST * whole)  # of nearly equal rows, or of zeros
    size = max(1, _AT_ONCE // max(1, rows.shape[1]))
    for start in range(0, len(lost), size):
        some = lost[start : start + size]
        found[some] = ((rows[a[some]] - rows[b[some]]) ** 2).sum(axis=1)
    return np.asarray(found)


def never_below_exact(differences: ArrayLike, squares: ArrayLike) -> Floats:
    """An upper bound of the two-sided p-values of sign-flip tests, from `squares`, sums of squared differences.

    P(sum of a_i e_i >= x) <= 3.178 P(Z >= x / sqrt(sum of a_i^2)) for fair signs e_i, whatever the numbers a_i
    (Bentkus & Dzindzalieta 2015, Bernoulli 21:1231; no smaller factor holds for all). A bound can only widen a rank
    range. At the level of Holm's smallest comparison of 500 submissions, it needs z = 5.3 instead of 5.1.
    """
    difference, square = np.abs(np.asarray(differences)), np.asarray(squares)
    z = np.divide(difference, np.sqrt(square), out=np.zeros(np.shape(square)), where=square > 0)
    return np.asarray(np.minimum(1.0, 2 * GAUSSIAN_BOUND * special.ndtr(-z)))


@cache
def exact_mcnemar(only_a: int, only_b: int) -> float:
    """The two-sided p-value of the hypothesis that both are right equally often.

    Under it, each case that only one has right is a fair coin toss.

    McNemar 1947 (Psychometrika 12:153), by the exact binomial distribution: 5:0 gives .0625, 6:0 gives .03125.
    """
    return min(1.0, 2 * _at_least(max(only_a, only_b), only_a + only_b))


def chance_reversed(only_ahead: int, only_behind: int) -> float:
    """The probability that the submission shown behind is right more often than the one shown ahead.

    Let p be the chance that the one ahead wins a case that only one has right, uniform a priori. The result is
    P(p < 1/2) = I_{1/2}(only_ahead + 1, only_behind + 1), which for whole numbers is a binomial tail.
    """
    return _at_least(only_ahead + 1, only_ahead + only_behind + 1)


@dataclass(frozen=True)
class Stratum:
    """Two submissions' predictions for the cases of one task, as class numbers, each of shape (n,)."""

    truth: Codes
    prediction_a: Codes
    prediction_b: Codes
    classes: int

    @classmethod
    def of(cls, answers: Answers, pair: Pair) -> "Stratum":
        a, b = pair
        return cls(answers.truth, answers.predictions[a], answers.predictions[b], len(answers.classes))

    def difference(self, metric: Metric) -> Callable[[Floats], Floats]:
        """How the difference of the metric depends on which discordant cases are exchanged: one draw in a row.

        Exchanging the predictions for a case moves one count between classes for one submission, and back for the
        other. A draw is therefore a row of zeros and ones, and all draws are one matrix product.
        """
        discordant, of_class = self.discordant, np.eye(self.classes)
        predicted_moves = of_class[self.prediction_b[discordant]] - of_class[self.prediction_a[discordant]]
        right_moves = predicted_moves * of_class[self.truth[discordant]]
        a, b = (Counts.of_codes(self.truth, said, self.classes) for said in (self.prediction_a, self.prediction_b))

        def difference(exchanged: Floats) -> Floats:
            right, predicted = exchanged @ right_moves, exchanged @ predicted_moves
            new_a = Counts(a.right + right, a.true, a.predicted + predicted)
            new_b = Counts(b.right - right, b.true, b.predicted - predicted)
            return metric(new_a) - metric(new_b)

        return difference

    @property
    def discordant(self) -> NDArray[np.bool_]:
        return np.not_equal(self.prediction_a, self.prediction_b)


def stratified_permutation_test(
    tasks: Sequence[Answers],
    pair: Pair,
    metrics: Sequence[Metric],
    *,
    draws: int = PERMUTATION_DRAWS,
    seed: int = SEED,
) -> float:
    """The two-sided p-value of the hypothesis that exchanging the two predictions does not change the metric.

    Predictions are exchanged at random on discordant cases, for which the two differ. The observed arrangement counts
    as one of the draws (Phipson & Smyth 2010), so no result is below 1/(draws + 1). Of several tasks, the mean of the
    metric is compared, and cases are exchanged within each task; `metrics` has one function for each.
    """
    strata = [Stratum.of(answers, pair) for answers in tasks]
    sizes = [int(stratum.discordant.sum()) for stratum in strata]
    if not any(sizes):
        return 1.0
    differences = [stratum.difference(metric) for stratum, metric in zip(strata, metrics, strict=True)]

    def mean(exchanged: Sequence[Floats]) -> Floats:
        parts = [difference(part) for difference, part in zip(differences, exchanged, strict=True)]
        return np.asarray(np.abs(np.mean(parts, axis=0)))

    observed = mean([np.zeros(cases) for cases in sizes])
    random, extreme = generator(seed), 0
    for size in batches(draws, sum(sizes) + 4 * sum(stratum.classes for stratum in strata)):
        drawn = [random.integers(0, 2, (size, cases), dtype=np.uint8).astype(np.float64) for cases in sizes]
        extreme += int((mean(drawn) >= observed - EQUAL).sum())
    return (extreme + 1) / (draws + 1)


def sign_flip_tests(parts: Floats, pairs: Pairs, *, draws: int | None = None, seed: int = SEED) -> Floats:
    """Two-sided p-values of the hypothesis that the sign of each unit's difference is a fair coin toss.

    `parts` of shape (M, units) is what each unit adds to the score of each submission. All pairs share the tosses, so
    that the sums of a pair differ by those of its submissions. The observed signs count as one of the draws.
    """
    a, b = columns(pairs)
    used, places = np.unique([a, b], return_inverse=True)
    first, second = places.reshape(2, -1)
    rows = parts[used] - parts[used].mean(axis=0)  # the same differences, with smaller numbers
    observed = np.abs(rows.sum(axis=1)[first] - rows.sum(axis=1)[second])
    nearly = observed - EQUAL * np.maximum(1, np.abs(rows).sum(axis=1).max())
    random, extreme = generator(seed), np.zeros(len(a), dtype=np.intp)
    draws = draws or draws_for(len(a))
    for size in batches(draws, rows.shape[1] + _PAIRS_AT_ONCE):  # whatever the number of pairs
        signs = random.integers(0, 2, (size, rows.shape[1]), dtype=np.int8).astype(np.float64) * 2 - 1
        sums = signs @ rows.T
        extreme += (np.abs(sums[:, first] - sums[:, second]) >= nearly).sum(axis=0)
    return np.asarray((extreme + 1) / (draws + 1))


def weighted_permutation_test(
    tasks: Sequence[Values],
    pair: Pair,
    metrics: Sequence[Weighted],
    *,
    draws: int = PERMUTATION_DRAWS,
    seed: int = SEED,
) -> float:
    """The same as `stratified_permutation_test` for cases with numbers. The cases of a group are exchanged together."""
    a, b = pair
    if all(np.array_equal(task.values[a], task.values[b]) for task in tasks):
        return 1.0

    def differences(size: int, random: np.random.Generator | None) -> Floats:
        parts = []
        for task, metric in zip(tasks, metrics, strict=True):
            rows = np.concatenate([task.values[a], task.values[b]])
            exchanged = random.integers(0, 2, (size, task.unit_count)) if random else np.zeros((1, task.unit_count))
            other = exchanged[:, task.units].astype(np.float64)
            of_a, of_b = np.hstack([1 - other, other]), np.hstack([other, 1 - other])
            parts.append(metric(rows, of_a) - metric(rows, of_b))
        return np.asarray(np.abs(np.mean(parts, axis=0)))

    (observed,) = differences(1, None)
    found = (differences(size, random) for size, random in _batches(draws, 8 * max(task.cases for task in tasks), seed))
    extreme = sum(int((drawn >= observed - EQUAL * max(1.0, observed)).sum()) for drawn in found)
    return (extreme + 1) / (draws + 1)


def _batches(draws: int, numbers_per_draw: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    random = generator(seed)
    return ((size, random) for size in batches(draws, numbers_per_draw))


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for multiple testing, in the given order (Holm 1979, Scand. J. Statist. 6:65)."""
    values = np.asarray(p_values, dtype=np.float64)
    adjusted, some = np.ones(len(values)), _below_one(values)
    order = some[np.argsort(values[some])]
    factors = np.arange(len(values), len(values) - len(some), -1)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, factors * values[order])) if len(some) else []
    return adjusted


def _below_one(values: Floats) -> Codes:
    """The places of p-values that Holm may leave below 1. Sorting all of 124,750 pairs would take most of the time.

    If k p-values are at least c and k * c is at least 1, the first gets k * c or more, and so do those after it.
    """
    cut = _SORTED_BELOW / max(1, len(values))
    small = values < cut
    is_enough = (len(values) - np.count_nonzero(small)) * cut > 1 + _LOST
    return np.flatnonzero(small) if is_enough else np.arange(len(values))


def _at_least(heads: int, tosses: int) -> float:
    """The probability of at least `heads` heads. All numbers are exact integers until the one division."""
    ways, total = 1, 0  # ways to get exactly `tosses - k` heads
    for k in range(tosses - heads + 1):
        total += ways
        ways = ways * (tosses - k) // (k + 1)
    return total / (1 << tosses)
