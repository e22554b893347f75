import numpy as np
import pytest
from scipy import stats

from palio.core.statistics.intervals import Interval, confusion_interval, mean_interval, wilson_interval
from palio.core.statistics.metrics import METRICS, Counts, Floats

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
    interval = confusion_interval(matrix, "f1_weighted")
    assert round(f1(matrix), 4) == score
    # 4,000 draws leave a standard error of about .0002 at the lower end.
    assert interval.low == pytest.approx(low, abs=0.0006)
    assert interval.high == pytest.approx(high, abs=0.0003)


@pytest.mark.parametrize("wrong", [1, 5, 40, 300, 600])
def test_accuracy_interval_equals_jeffreys(wrong: int) -> None:
    exact = stats.beta.ppf([0.025, 0.975], 600 - wrong + 0.5, wrong + 0.5)
    interval = confusion_interval(matrix_of(wrong), "accuracy", draws=40_000)
    assert [interval.low, interval.high] == pytest.approx(exact, abs=0.0008)


@pytest.mark.parametrize("metric", METRICS)
def test_interval_at_extremes(metric: str) -> None:
    perfect, hopeless = (confusion_interval(matrix, metric) for matrix in (matrix_of(0), np.roll(matrix_of(0), 1, 1)))
    assert 0.98 < perfect.low < 0.998
    assert perfect.high == pytest.approx(1, abs=1e-15)
    assert hopeless.low == 0
    assert 0.002 < hopeless.high < 0.02


def test_one_class_only() -> None:
    exact = stats.beta.ppf(0.025, 100.5, 0.5)
    interval = confusion_interval(np.array([[100.0]]), "accuracy", draws=40_000)
    assert interval.low == pytest.approx(exact, abs=0.0008)
    assert interval.high == 1


def test_interval_deterministic() -> None:
    first, second = (confusion_interval(matrix_of(3), "f1_weighted") for _ in range(2))
    assert first == second
    assert confusion_interval(matrix_of(3), "f1_weighted", seed=1) != first


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
        ours = confusion_interval(matrix, "f1_weighted", draws=draws, seed=board)
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
    interval = mean_interval(values.tolist(), draws=20_000)
    width = interval.high - interval.low
    assert interval.low == pytest.approx(exact.confidence_interval.low, abs=0.03 * width)
    assert interval.high == pytest.approx(exact.confidence_interval.high, abs=0.03 * width)


def test_bca_skewed() -> None:
    values = dice(15).tolist()
    bca, plain = mean_interval(values), mean_interval(values * 7, draws=10)  # 105 cases: percentile
    mean = float(np.mean(values))
    assert mean - bca.low > bca.high - mean
    assert plain.low <= mean <= plain.high


def test_equal_values_have_an_interval_without_width() -> None:
    assert mean_interval([0.5] * 10) == Interval(0.5, 0.5)


def test_one_case_has_no_interval() -> None:
    with pytest.raises(ValueError, match=r"^an interval needs at least two cases$"):
        mean_interval([0.5])
