"""Compares submissions on the same cases: do two differ, and may their order be wrong?

Only discordant cases, for which the two have different predictions, tell them apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from palio.core.statistics.cases import Answers
from palio.core.statistics.draws import SEED, batches, generator
from palio.core.statistics.metrics import MEANS_OVER_CASES, METRICS, Codes, Counts, Floats

PERMUTATION_DRAWS = 10_000
EQUAL = 1e-12  # scores no further apart than this are equal


@dataclass(frozen=True)
class Comparison:
    """Two submissions, by number. `adjusted` is the p-value after Holm, over all compared pairs."""

    a: int
    b: int
    only_a: int  # cases that only `a` has right
    only_b: int
    p_value: float
    adjusted: float


def is_exact(tasks: int, metric: str) -> bool:
    """Whether pairs are compared by exact McNemar: if the score is a mean over cases. Otherwise by permutation.

    A mean over several tasks is none, because tasks of different sizes have equal weights.
    """
    return tasks == 1 and metric in MEANS_OVER_CASES


def compare_all(tasks: Sequence[Answers], metric: str) -> tuple[Comparison, ...]:
    """Compares every pair by the mean of the metric over the tasks, usually one."""
    right = np.concatenate([answers.predictions == answers.truth for answers in tasks], axis=1)
    pairs = list(combinations(range(len(right)), 2))
    # 10,000 draws give no p-value below 1/10,001, which Holm over more than 500 pairs never calls significant.
    draws = max(PERMUTATION_DRAWS, 40 * len(pairs))
    only = [(int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum())) for a, b in pairs]
    if is_exact(len(tasks), metric):
        p_values = [exact_mcnemar(only_a, only_b) for only_a, only_b in only]
    else:
        p_values = [
            stratified_permutation_test([Stratum.of(answers, a, b) for answers in tasks], metric, draws=draws)
            for a, b in pairs
        ]
    rows = zip(pairs, only, p_values, holm(p_values), strict=True)
    return tuple(Comparison(*pair, *counts, p_value, adjusted) for pair, counts, p_value, adjusted in rows)


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


def permutation_test(
    truth: Codes,
    prediction_a: Codes,
    prediction_b: Codes,
    classes: int,
    metric: str,
    *,
    draws: int = PERMUTATION_DRAWS,
    seed: int = SEED,
) -> float:
    """The two-sided p-value of the hypothesis that exchanging the two predictions does not change the metric.

    Takes class numbers of single cases, each of shape (n,). Predictions are exchanged at random on discordant cases.
    The observed arrangement counts as one of the draws (Phipson & Smyth 2010), so no result is below 1/(draws + 1).
    """
    stratum = Stratum(truth, prediction_a, prediction_b, classes)
    return stratified_permutation_test([stratum], metric, draws=draws, seed=seed)


@dataclass(frozen=True)
class Stratum:
    """Two submissions' predictions for the cases of one task, as class numbers, each of shape (n,)."""

    truth: Codes
    prediction_a: Codes
    prediction_b: Codes
    classes: int

    @classmethod
    def of(cls, answers: Answers, a: int, b: int) -> "Stratum":
        return cls(answers.truth, answers.predictions[a], answers.predictions[b], len(answers.classes))

    def difference(self, metric: str) -> Callable[[Floats], Floats]:
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
            return METRICS[metric](new_a) - METRICS[metric](new_b)

        return difference

    @property
    def discordant(self) -> NDArray[np.bool_]:
        return np.not_equal(self.prediction_a, self.prediction_b)


def stratified_permutation_test(
    strata: Sequence[Stratum], metric: str, *, draws: int = PERMUTATION_DRAWS, seed: int = SEED
) -> float:
    """The same for the mean of the metric over several tasks: cases are exchanged within each task."""
    sizes = [int(stratum.discordant.sum()) for stratum in strata]
    if not any(sizes):
        return 1.0
    differences = [stratum.difference(metric) for stratum in strata]

    def mean(exchanged: Sequence[Floats]) -> Floats:
        parts = [difference(part) for difference, part in zip(differences, exchanged, strict=True)]
        return np.asarray(np.abs(np.mean(parts, axis=0)))

    observed = mean([np.zeros(cases) for cases in sizes])
    random, extreme = generator(seed), 0
    for size in batches(draws, sum(sizes) + 4 * sum(stratum.classes for stratum in strata)):
        drawn = [random.integers(0, 2, (size, cases), dtype=np.uint8).astype(np.float64) for cases in sizes]
        extreme += int((mean(drawn) >= observed - EQUAL).sum())
    return (extreme + 1) / (draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for multiple testing, in the given order (Holm 1979, Scand. J. Statist. 6:65)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _at_least(heads: int, tosses: int) -> float:
    """The probability of at least `heads` heads. All numbers are exact integers until the one division."""
    ways, total = 1, 0  # ways to get exactly `tosses - k` heads
    for k in range(tosses - heads + 1):
        total += ways
        ways = ways * (tosses - k) // (k + 1)
    return total / (1 << tosses)
