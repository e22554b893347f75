"""Compares submissions on the same cases: do two differ, and may their order be wrong?

Only discordant cases, for which the two have different predictions, tell them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

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


def compare_all(answers: Answers, metric: str) -> tuple[Comparison, ...]:
    """Compares every pair: by exact McNemar if the metric is a mean over cases, else by permutation."""
    right = answers.predictions == answers.truth
    pairs = list(combinations(range(len(right)), 2))
    # 10,000 draws give no p-value below 1/10,001, which Holm over more than 500 pairs never calls significant.
    draws = max(PERMUTATION_DRAWS, 40 * len(pairs))
    only = [(int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum())) for a, b in pairs]
    if metric in MEANS_OVER_CASES:
        p_values = [exact_mcnemar(only_a, only_b) for only_a, only_b in only]
    else:
        said, truth, classes = answers.predictions, answers.truth, len(answers.classes)
        p_values = [permutation_test(truth, said[a], said[b], classes, metric, draws=draws) for a, b in pairs]
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
    discordant = prediction_a != prediction_b
    if not discordant.any():
        return 1.0
    # Exchanging the predictions for a case moves one count between classes for one submission, and back for the
    # other. A draw is therefore a row of zeros and ones, and all draws are one matrix product.
    of_class = np.eye(classes)
    predicted_moves = of_class[prediction_b[discordant]] - of_class[prediction_a[discordant]]
    right_moves = predicted_moves * of_class[truth[discordant]]
    a, b = (Counts.of_codes(truth, said, classes) for said in (prediction_a, prediction_b))

    def difference(exchanged: Floats) -> Floats:
        right, predicted = exchanged @ right_moves, exchanged @ predicted_moves
        new_a = Counts(a.right + right, a.true, a.predicted + predicted)
        new_b = Counts(b.right - right, b.true, b.predicted - predicted)
        return np.abs(METRICS[metric](new_a) - METRICS[metric](new_b))

    cases = int(discordant.sum())
    observed = difference(np.zeros(cases))
    random, extreme = generator(seed), 0
    for size in batches(draws, cases + 4 * classes):
        exchanged = random.integers(0, 2, (size, cases), dtype=np.uint8).astype(np.float64)
        extreme += int((difference(exchanged) >= observed - EQUAL).sum())
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
