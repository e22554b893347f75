import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from tests.core.statistics.all_pairs import compare_all

from palio.core.statistics.cases import Answers
from palio.core.statistics.comparisons import (
    Comparison,
    chance_reversed,
    chances_reversed,
    exact_mcnemar,
    exact_mcnemars,
    holm,
    never_below_exact,
    only_right,
    squared_distances,
    stratified_permutation_test,
)
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import METRICS, Codes

PAIRS = [(0, 0), (1, 0), (2, 0), (5, 0), (6, 0), (9, 2), (9, 4), (10, 2), (12, 4), (15, 5), (0, 7), (300, 260)]
CLASSES = 6
TRUTH: Codes = np.arange(600) % CLASSES


def said(*wrong: int) -> Codes:
    answers = TRUTH.copy()
    answers[list(wrong)] = (answers[list(wrong)] + 1) % CLASSES
    return answers


def permuted(truth: Codes, a: Codes, b: Codes, classes: int, metric: str, draws: int = 10_000) -> float:
    answers = Answers(("a",) * classes, truth, np.stack([a, b]))
    return stratified_permutation_test([answers], (0, 1), [METRICS[metric]], draws=draws)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [(5, 0, 0.0625), (6, 0, 0.03125), (9, 2, 0.065), (10, 2, 0.039), (12, 4, 0.077), (15, 5, 0.041)],
)
def test_mcnemar_to_the_printed_digits(only_a: int, only_b: int, p_value: float) -> None:
    digits = 5 if only_b == 0 else 3
    assert round(exact_mcnemar(only_a, only_b), digits) == p_value


@pytest.mark.parametrize(("only_a", "only_b"), PAIRS[1:])
def test_mcnemar_equals_scipy(only_a: int, only_b: int) -> None:
    exact = stats.binomtest(only_a, only_a + only_b).pvalue
    assert exact_mcnemar(only_a, only_b) == pytest.approx(exact, rel=1e-12)


def test_mcnemar_without_a_difference() -> None:
    assert exact_mcnemar(0, 0) == exact_mcnemar(3, 3) == 1.0


@pytest.mark.parametrize(
    ("ahead", "behind", "chance"),
    [(1, 0, 0.25), (2, 0, 0.125), (5, 0, 0.016), (6, 0, 0.008), (9, 4, 0.090), (12, 4, 0.025), (2, 1, 0.3125)],
)
def test_wrong_order_chance_printed_digits(ahead: int, behind: int, chance: float) -> None:
    assert round(chance_reversed(ahead, behind), 4 if chance == 0.3125 else 3) == chance


@pytest.mark.parametrize(("ahead", "behind"), PAIRS)
def test_wrong_order_chance_equals_scipy(ahead: int, behind: int) -> None:
    exact = stats.beta.cdf(0.5, ahead + 1, behind + 1)
    assert chance_reversed(ahead, behind) == pytest.approx(exact, rel=1e-9)
    assert chance_reversed(behind, ahead) == pytest.approx(1 - exact, rel=1e-9)


@pytest.mark.parametrize(("only_a", "only_b"), [(1, 0), (5, 0), (6, 0), (9, 2), (12, 4)])
def test_permutation_of_accuracy_equals_mcnemar(only_a: int, only_b: int) -> None:
    a, b = said(*range(100, 100 + only_b)), said(*range(only_a))
    p_value = permuted(TRUTH, a, b, CLASSES, "accuracy", draws=40_000)
    assert p_value == pytest.approx(exact_mcnemar(only_a, only_b), abs=0.01)


@pytest.mark.parametrize("metric", ["f1_weighted", "f1_macro", "precision_macro", "balanced_accuracy"])
def test_permutation_of_the_metric_itself(metric: str) -> None:
    better, worse = said(1, 2, 3), said(*range(3, 40))
    assert permuted(TRUTH, better, worse, CLASSES, metric) == 1 / 10_001
    assert permuted(TRUTH, better, said(2, 3, 4), CLASSES, metric) > 0.9


def test_permutation_against_its_definition() -> None:
    """Every one of the 2^6 arrangements of six discordant cases, by hand."""
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    a = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 0, 2])
    b = np.array([0, 0, 2, 0, 1, 1, 0, 0, 2, 2, 1, 1])
    places = np.flatnonzero(a != b)

    def difference(exchanged: int) -> float:
        swap = np.zeros(len(truth), dtype=bool)
        swap[places] = [bool(exchanged >> bit & 1) for bit in range(len(places))]
        one, other = np.where(swap, b, a), np.where(swap, a, b)
        return abs(float(f1_score(truth, one, average="macro")) - float(f1_score(truth, other, average="macro")))

    differences = [difference(exchanged) for exchanged in range(2 ** len(places))]
    exact = np.mean([value >= differences[0] - 1e-12 for value in differences])
    assert permuted(truth, a, b, 3, "f1_macro", draws=40_000) == pytest.approx(exact, abs=0.01)


def test_same_answers() -> None:
    assert permuted(TRUTH, said(3), said(3), CLASSES, "f1_weighted") == 1.0


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_compare_all_by_mcnemar() -> None:
    answers = Answers(("a",) * CLASSES, TRUTH, np.stack([said(), said(*range(6)), said(5)]))
    assert compare_all([answers], method("classification", "accuracy")) == (
        Comparison(0, 1, 6, 0, 0.03125, 0.09375),
        Comparison(0, 2, 1, 0, 1.0, 1.0),
        Comparison(1, 2, 0, 5, 0.0625, 0.125),
    )


def test_compare_all_by_permutation() -> None:
    answers = Answers(("a",) * CLASSES, TRUTH, np.stack([said(), said(*range(40))]))
    assert compare_all([answers], method("classification", "f1_weighted")) == (
        Comparison(0, 1, 40, 0, 1 / 10_001, 1 / 10_001),
    )


def test_large_leaderboard_difference() -> None:
    """With 10,000 draws Holm over 25 entries' 300 pairs could hardly: 300 / 10,001 = .03."""
    answers = Answers(("a",) * CLASSES, TRUTH, np.stack([said()] * 24 + [said(*range(20))]))
    assert compare_all([answers], method("classification", "f1_weighted"))[23].adjusted == 300 / (40 * 300 + 1)


def test_bound_of_a_large_leaderboard_is_never_below_the_exact_test() -> None:
    """Of accuracy, where the permutation test is McNemar's: discordant cases from 0:0 to 30:30."""
    counts = np.array([(ahead, behind) for ahead in range(31) for behind in range(31)])
    exact = np.array([exact_mcnemar(ahead, behind) for ahead, behind in counts.tolist()])
    bound = never_below_exact(counts[:, 0] - counts[:, 1], counts.sum(axis=1))
    assert (bound >= exact - 1e-15).all()
    far = (exact > 1e-5) & (exact < 1e-3)
    assert far.sum() > 20
    assert (bound[far] <= 25 * exact[far]).all()  # Holm of 500 submissions asks for a factor of 124,750


@pytest.mark.parametrize("metric", ["f1_weighted", "f1_macro", "precision_macro", "balanced_accuracy", "mcc", "kappa"])
def test_bounds_of_other_metrics_against_the_permutation_test(metric: str) -> None:
    """Slopes stand in for the metric itself, so the bound is held against tests by draws."""
    random = np.random.default_rng(4)
    truth = random.integers(0, 4, 300)
    shares = np.linspace(0.99, 0.7, 12)
    guessed = random.integers(0, 4, (12, 300))
    said = np.where(random.random((12, 300)) < shares[:, np.newaxis], truth, guessed)
    answers, of = Answers(tuple("abcd"), truth, said), method("classification", metric)
    pairs = [(a, b) for a in range(12) for b in range(a)]
    by_draws, bounds = of.p_values([answers], pairs), of.p_values([answers], pairs, of=100_000)
    assert (bounds >= 0.9 * by_draws - 2e-4).all()
    assert (bounds < 0.05).sum() > 20


def test_many_pairs_at_once_are_those_of_single_pairs() -> None:
    counts = np.random.default_rng(6).integers(0, 400, (300, 2))
    p_values, chances = exact_mcnemars(counts), chances_reversed(counts)
    for (ahead, behind), p_value, chance in zip(counts.tolist(), p_values, chances, strict=True):
        assert p_value == pytest.approx(exact_mcnemar(ahead, behind), rel=1e-9)
        assert chance == pytest.approx(chance_reversed(ahead, behind), rel=1e-9)


def test_squared_distances_of_nearly_equal_rows() -> None:
    """Where the matrix product loses all digits."""
    rows = np.random.default_rng(7).random((5, 400)) + 1_000
    rows[1] = rows[0]
    rows[2] = rows[0]
    rows[2, 7] += 1e-6
    pairs = [(a, b) for a in range(5) for b in range(a)]
    expected = [((rows[a] - rows[b]) ** 2).sum() for a, b in pairs]
    assert squared_distances(rows, pairs) == pytest.approx(expected, rel=1e-9)
    assert squared_distances(rows, [(0, 1)]).tolist() == [0]


def test_holm_of_many_pairs_equals_sorting_all() -> None:
    random = np.random.default_rng(1)
    for count in (0, 1, 2, 99, 100, 101, 5_000):
        uniform = random.random(count)
        for p_values in (uniform, uniform**8, np.ones(count), np.zeros(count), np.full(count, 1e-9)):
            order = np.argsort(p_values)
            expected = np.ones(count)
            expected[order] = np.maximum.accumulate(np.minimum(1, np.arange(count, 0, -1) * p_values[order]))
            assert holm(p_values).tolist() == expected.tolist()


def test_only_right_of_few_pairs_equals_that_of_all() -> None:
    random = np.random.default_rng(2)
    truth = random.integers(0, 3, 50)
    given = np.where(random.random((40, 50)) < 0.3, 1, truth)
    answers = [Answers(("a", "b", "c"), truth, given, "digest")]
    pairs = np.stack(np.triu_indices(40, 1), axis=1)
    expected = [
        [int(((given[a] == truth) > (given[b] == truth)).sum()) for a, b in (pair, pair[::-1])] for pair in pairs
    ]
    assert only_right(answers, pairs).tolist() == expected  # by a matrix product
    assert only_right(answers, pairs[::60]).tolist() == expected[::60]  # pair by pair
