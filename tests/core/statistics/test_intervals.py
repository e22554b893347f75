import numpy as np
import pytest
from scipy import stats

from palio.core.statistics.intervals import (
    NoIntervalError,
    Totals,
    beta_interval,
    confusion_interval,
    mean_interval,
    median_interval,
    wilson_interval,
)
from palio.core.statistics.metrics import METRICS, Codes, Counts, Floats

CLASSES = 6


def matrix_of(wrong: int, per_class: int = 100) -> Floats:
    """Errors spread over the cells off the diagonal."""
    matrix = np.diag(np.full(CLASSES, float(per_class)))
    for error in range(wrong):
        row, column = error % CLASSES, (error + 1 + error // CLASSES % (CLASSES - 1)) % CLASSES
        matrix[row, row] -= 1
        matrix[row, column] += 1
    return matrix


def f1(matrix: Floats) -> float:
    return float(METRICS["f1_weighted"](Counts.of_matrix(matrix)))


# -- Jeffreys-Dirichlet


@pytest.mark.parametrize(
    ("wrong", "score", "low", "high"),
    [(1, 0.9983, 0.9925, 0.9998), (2, 0.9967, 0.9895, 0.9994), (5, 0.9917, 0.9819, 0.9967)],
)
def test_worked_case(wrong: int, score: float, low: float, high: float) -> None:
    matrix = matrix_of(wrong)
    interval = confusion_interval(matrix, METRICS["f1_weighted"])
    assert round(f1(matrix), 4) == score
    # 4,000 draws leave a standard error of about .0002 at the lower end.
    assert interval.low == pytest.approx(low, abs=0.0006)
    assert interval.high == pytest.approx(high, abs=0.0003)


@pytest.mark.parametrize("wrong", [1, 5, 40, 300, 600])
def test_accuracy_interval_equals_jeffreys(wrong: int) -> None:
    exact = stats.beta.ppf([0.025, 0.975], 600 - wrong + 0.5, wrong + 0.5)
    interval = confusion_interval(matrix_of(wrong), METRICS["accuracy"], draws=40_000)
    assert [interval.low, interval.high] == pytest.approx(exact, abs=0.0008)


@pytest.mark.parametrize("metric", METRICS)
def test_interval_at_extremes(metric: str) -> None:
    perfect, hopeless = (
        confusion_interval(matrix, METRICS[metric]) for matrix in (matrix_of(0), np.roll(matrix_of(0), 1, 1))
    )
    assert 0.98 < perfect.low < 0.998
    assert perfect.high == pytest.approx(1, abs=1e-15)
    assert hopeless.low == pytest.approx({"mcc": -0.2, "kappa": -0.2}.get(metric, 0), abs=0.002)
    assert 0.002 < hopeless.high - hopeless.low < 0.025


def test_one_class_only() -> None:
    exact = stats.beta.ppf(0.025, 100.5, 0.5)
    interval = confusion_interval(np.array([[100.0]]), METRICS["accuracy"], draws=40_000)
    assert interval.low == pytest.approx(exact, abs=0.0008)
    assert interval.high == 1


def test_interval_deterministic() -> None:
    first, second = (confusion_interval(matrix_of(3), METRICS["f1_weighted"]) for _ in range(2))
    assert first == second
    assert confusion_interval(matrix_of(3), METRICS["f1_weighted"], seed=1) != first


def covered(true: float, per_class: int, boards: int = 250, draws: int = 500) -> tuple[float, float]:
    """How often 95 % intervals of weighted F1 hold the true value: a percentile bootstrap's, and ours."""
    random = np.random.default_rng(int(true * 1e5) + per_class)
    shares = np.full((CLASSES, CLASSES), (1 - true) / (CLASSES * (CLASSES - 1)))
    np.fill_diagonal(shares, true / CLASSES)
    truth, cases = f1(shares), CLASSES * per_class
    hits = np.zeros(2)
    for board in range(boards):
        matrix = random.multinomial(cases, shares.ravel()).reshape(CLASSES, CLASSES).astype(float)
        redraws = random.multinomial(cases, matrix.ravel() / cases, draws).reshape(-1, CLASSES, CLASSES).astype(float)
        low, high = np.quantile(METRICS["f1_weighted"](Counts.of_matrix(redraws)), [0.025, 0.975])
        ours = confusion_interval(matrix, METRICS["f1_weighted"], draws=draws, seed=board)
        hits += low <= truth <= high, ours.low <= truth <= ours.high
    return float(hits[0] / boards), float(hits[1] / boards)


@pytest.mark.parametrize(
    ("true", "per_class", "bootstrap", "ours"),
    [
        (0.9995, 100, 0.27, 0.96),
        (0.999, 100, 0.46, 0.98),
        (0.998, 100, 0.65, 0.97),
        (0.995, 100, 0.94, 0.91),
        (0.99, 100, 0.93, 0.95),
        (0.95, 100, 0.95, 0.96),
        (0.9995, 300, 0.56, 0.97),
        (0.999, 300, 0.83, 0.97),
        (0.998, 300, 0.87, 0.94),
    ],
)
def test_coverage_of_95_percent_intervals(true: float, per_class: int, bootstrap: float, ours: float) -> None:
    """Within what 250 boards instead of thousands, and 500 draws instead of 4,000, leave to chance."""
    of_bootstrap, of_ours = covered(true, per_class)
    assert of_bootstrap == pytest.approx(bootstrap, abs=0.08)
    assert of_ours == pytest.approx(ours, abs=0.05)


# -- Wilson


@pytest.mark.parametrize(
    ("wrong", "low", "high"),
    [
        (0, 0.9936, 1),
        (1, 0.9906, 0.9997),
        (2, 0.9879, 0.9991),
        (5, 0.9806, 0.9964),
        (10, 0.9696, 0.9909),
        (30, 0.9295, 0.9648),
    ],
)
def test_wilson_to_the_printed_digits(wrong: int, low: float, high: float) -> None:
    interval = wilson_interval(600 - wrong, 600)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@pytest.mark.parametrize(("right", "cases"), [(0, 1), (1, 1), (0, 100), (7, 10), (100, 100), (599, 600)])
def test_wilson_equals_scipy(right: int, cases: int) -> None:
    exact = stats.binomtest(right, cases).proportion_ci(method="wilson")
    interval = wilson_interval(right, cases)
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


# -- means over cases


def dice(cases: int) -> Floats:
    return np.random.default_rng(cases).beta(8, 1.5, cases)


@pytest.mark.parametrize(("cases", "method"), [(15, "BCa"), (99, "BCa"), (100, "percentile"), (400, "percentile")])
def test_mean_interval_equals_scipy(cases: int, method: str) -> None:
    values = dice(cases)
    exact = stats.bootstrap((values,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(1))
    interval = mean_interval([Totals.of(values)], draws=20_000)
    width = interval.high - interval.low
    assert interval.low == pytest.approx(exact.confidence_interval.low, abs=0.03 * width)
    assert interval.high == pytest.approx(exact.confidence_interval.high, abs=0.03 * width)


def test_bca_skewed() -> None:
    values = dice(15)
    bca, plain = mean_interval([Totals.of(values)]), mean_interval([Totals.of(np.tile(values, 7))], draws=10)
    mean = float(np.mean(values))
    assert mean - bca.low > bca.high - mean
    assert plain.low <= mean <= plain.high


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.1] * 10, "all cases have the same value, which tells nothing about other cases"),
        ([0.5], "an interval needs at least two cases, or two groups"),
    ],
)
def test_mean_without_an_interval(values: list[float], reason: str) -> None:
    with pytest.raises(NoIntervalError, match=f"^{reason}$"):
        mean_interval([Totals.of(np.array(values))])


def test_interval_of_a_root_is_the_root_of_the_interval() -> None:
    values = dice(15)
    plain, root = mean_interval([Totals.of(values)]), mean_interval([Totals.of(values)], np.sqrt)
    assert (root.low, root.high) == pytest.approx((plain.low**0.5, plain.high**0.5), abs=1e-4)


def clustered(random: np.random.Generator, groups: int, spread: float) -> tuple[Floats, Codes]:
    """1 to 9 cases in each group, which share most of their deviation from 0.8."""
    units = np.repeat(np.arange(groups), random.integers(1, 10, groups))
    values = 0.8 + random.normal(0, spread, groups)[units] + random.normal(0, spread / 3, len(units))
    return values, units


@pytest.mark.parametrize("groups", [30, 120])  # BCa, percentile
def test_cases_that_belong_together_are_drawn_together(groups: int) -> None:
    random, held = np.random.default_rng(groups), np.zeros(2)
    for board in range(200):
        values, units = clustered(random, groups, 0.05)
        for place, totals in enumerate((Totals.of(values, units), Totals.of(values))):
            interval = mean_interval([totals], draws=400, seed=board)
            held[place] += interval.low <= 0.8 <= interval.high
    in_groups, one_by_one = held / 200
    assert in_groups == pytest.approx(0.94, abs=0.03)
    assert one_by_one < 0.75  # which is why there is `group`


@pytest.mark.parametrize("cases", [40, 99, 150])
def test_coverage_of_a_mean_of_dice(cases: int) -> None:
    random, held = np.random.default_rng(cases), 0
    for board in range(250):
        interval = mean_interval([Totals.of(random.beta(8, 1.5, cases))], draws=500, seed=board)
        held += interval.low <= 8 / 9.5 <= interval.high
    assert held / 250 == pytest.approx(0.94, abs=0.035)


# -- exact Beta


@pytest.mark.parametrize("right", [1, 300, 599])
def test_beta_is_that_of_scipy(right: int) -> None:
    exact = stats.beta.ppf([0.025, 0.975], right + 0.5, 600 - right + 0.5)
    interval = beta_interval(right, 600)
    assert (interval.low, interval.high) == pytest.approx(exact, abs=1e-12)


def test_beta_ends_at_what_was_observed() -> None:
    none, perfect = beta_interval(0, 600), beta_interval(600, 600)
    assert (none.low, perfect.high) == (0, 1)
    assert perfect.low == pytest.approx(stats.beta.ppf(0.025, 600.5, 0.5), abs=1e-12)
    assert none.high == pytest.approx(1 - perfect.low, abs=1e-12)


# -- medians


@pytest.mark.parametrize(("cases", "places"), [(6, (0, 5)), (8, (0, 7)), (9, (1, 7)), (20, (5, 14)), (100, (39, 60))])
def test_median_lies_between_order_statistics(cases: int, places: tuple[int, int]) -> None:
    """The places of the usual tables, such as Conover's (Practical Nonparametric Statistics, 3.2)."""
    values = np.random.default_rng(cases).permutation(np.arange(cases, dtype=np.float64))
    interval = median_interval(values)
    assert (interval.low, interval.high) == places


def test_median_of_too_few_cases_has_no_interval() -> None:
    with pytest.raises(NoIntervalError, match=r"^the interval of a median needs more than 5 cases$"):
        median_interval(np.arange(5.0))


def test_median_is_covered_and_a_percentile_bootstrap_would_not_cover_it() -> None:
    """Dice with many perfect cases, so that the distribution has a jump just above its median."""
    random, held = np.random.default_rng(3), np.zeros(2)
    true = stats.beta.ppf(0.5 / 0.6, 8, 1.5)  # 60 % follow the Beta distribution, 40 % are perfect
    for _ in range(400):
        values = np.where(random.random(15) < 0.6, random.beta(8, 1.5, 15), 1.0)
        ours = median_interval(values)
        redraws = np.median(values[random.integers(0, 15, (400, 15))], axis=1)
        low, high = np.quantile(redraws, [0.025, 0.975])
        held += ours.low <= true <= ours.high, low <= true <= high
    ours_held, bootstrap_held = held / 400
    assert ours_held >= 0.95
    assert bootstrap_held < 0.95
