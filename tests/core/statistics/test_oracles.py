"""Other programs' numbers: R's pROC, and the quantiles that a bootstrap by draws gives.

The values of pROC 1.18.0 are stored; where R and pROC are installed, they are computed again and compared.
"""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.statistics.agreement import kendall_tau, ranks_by_case
from palio.core.statistics.cases import Values
from palio.core.statistics.delong import areas
from palio.core.statistics.intervals import Totals, mean_interval, stratified_mean_interval, weighted_interval
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import Floats
from palio.core.statistics.weighted import weighted_metric

# The first 14 positive and 16 negative cases of two made-up readers, with ties.
TRUTH = [1] * 14 + [0] * 16
FIRST = [9, 8, 8, 7, 7, 6, 6, 6, 5, 5, 4, 4, 3, 2, 6, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1, 1]
SECOND = [8, 9, 6, 7, 5, 7, 4, 6, 5, 3, 6, 2, 4, 2, 7, 4, 6, 4, 3, 5, 3, 2, 4, 1, 2, 3, 1, 2, 1, 2]
PROGRAM = """
suppressMessages(library(pROC))
truth <- c({truth}); first <- c({first}); second <- c({second})
a <- roc(truth, first, levels = c(0, 1), direction = "<"); b <- roc(truth, second, levels = c(0, 1), direction = "<")
p <- roc.test(a, b, method = "delong", paired = TRUE)$p.value
cat(sprintf("[%.15f, %.15f, %.15f, %.15f, %.15f, %.15f]", auc(a), auc(b), var(a), var(b), cov(a, b), p))
"""
STORED = [
    0.854910714285714,
    0.781250000000000,
    0.004600064184328,
    0.007201011414181,
    0.004508386888409,
    0.162721898404183,
]


def compared() -> Values:
    rows = np.stack([np.stack([TRUTH, said], axis=1) for said in (FIRST, SECOND)]).astype(np.float64)
    return Values(("",), rows, np.arange(len(TRUTH)), has_groups=False, has_classes=True)


def ours() -> list[float]:
    found = areas(compared(), [0])
    covariance = found.moves @ found.moves.T
    (p_value,) = method("probability", "auc").p_values([compared()], [(0, 1)])
    return [*found.values, covariance[0, 0], covariance[1, 1], covariance[0, 1], p_value]


def test_delong_equals_stored_values_of_proc() -> None:
    assert ours() == pytest.approx(STORED, rel=1e-12)


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed (Debian: r-cran-proc)")
def test_delong_equals_proc() -> None:
    given = {name: ",".join(map(str, of)) for name, of in (("truth", TRUTH), ("first", FIRST), ("second", SECOND))}
    done = subprocess.run(["Rscript", "-e", PROGRAM.format(**given)], capture_output=True, text=True, check=False)
    if done.returncode and "there is no package" in done.stderr:
        pytest.skip("R has no pROC (Debian: r-cran-proc)")
    assert done.returncode == 0, done.stderr
    assert ours() == pytest.approx(json.loads(done.stdout), rel=1e-9)


# -- quantiles without draws


def drawn_mean(values: Floats, units: Floats | None = None) -> Floats:
    """The ends of a percentile bootstrap of 200,000 draws; `units` are the sizes of groups, whose sums are `values`."""
    random, sizes = np.random.default_rng(1), np.ones(len(values)) if units is None else units
    means = []
    for _ in range(200):
        drawn = random.integers(0, len(values), (1_000, len(values)))
        means.append(values[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.asarray(np.quantile(np.concatenate(means), [0.025, 0.975]))


@pytest.mark.parametrize("name", ["dice", "heavy tail", "symmetric"])
@pytest.mark.parametrize("cases", [120, 500])
def test_mean_without_draws_equals_many_draws(name: str, cases: int) -> None:
    random = np.random.default_rng(cases)
    values = {
        "dice": random.beta(8, 1.5, cases),
        "heavy tail": random.lognormal(1, 0.9, cases),
        "symmetric": random.normal(0, 1, cases),
    }[name]
    interval, expected = mean_interval([Totals.of(values)], draws=2), drawn_mean(values)  # two draws would be far off
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.006 * (expected[1] - expected[0]))


def test_mean_of_groups_without_draws_equals_many_draws() -> None:
    """Larger groups have larger values, so that the denominator matters."""
    random = np.random.default_rng(3)
    sizes = random.integers(1, 10, 150).astype(np.float64)
    sums = sizes * (0.5 + sizes / 30 + random.normal(0, 0.1, 150))
    interval, expected = mean_interval([Totals(sums, sizes)], draws=2), drawn_mean(sums, sizes)
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.01 * (expected[1] - expected[0]))


def test_brier_without_draws_equals_draws() -> None:
    random = np.random.default_rng(5)
    truth = np.repeat([1.0, 0.0], [150, 350])
    said = np.clip(random.beta(2, 2, 500) + 0.2 * truth, 0, 1)
    task = Values(("",), np.stack([truth, said], axis=1)[np.newaxis], np.arange(500), False, True)
    of = weighted_metric("probability", WrittenMetric("brier"), ("",))
    assert of.per_case is not None
    found = stratified_mean_interval(task, of.per_case(task.values[0]))
    drawn = weighted_interval([task], [of], draws=20_000)
    assert found is not None
    width = drawn.high - drawn.low
    assert [found.low, found.high] == pytest.approx([drawn.low, drawn.high], abs=0.03 * width)


# -- agreement


def test_kendall_equals_scipy() -> None:
    random = np.random.default_rng(2)
    for ties in (3, 8, 100):
        a, b = random.integers(0, ties, (2, 30))
        assert kendall_tau(a, b) == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau([1, 1], [1, 2]) is None
    assert kendall_tau([], []) is None


def test_ranks_by_case_equal_scipy() -> None:
    random = np.random.default_rng(4)
    values = random.integers(0, 5, (6, 40)).astype(np.float64)
    task = Values(("dice",), values[..., np.newaxis], np.arange(40), False, False)
    expected = stats.rankdata(stats.rankdata(-values, axis=0).mean(axis=1).round(9), method="min")
    assert ranks_by_case([task], method("mean", "mean(dice)"), descending=True) == expected.astype(int).tolist()
    auc = Values(("",), np.stack([values, values], axis=-1), np.arange(40), False, False)
    assert ranks_by_case([auc], method("probability", "auc"), descending=True) is None


# -- sums over a redraw of very many cases


def many(cases: int, seed: int = 11) -> Values:
    random = np.random.default_rng(seed)
    truth = (np.arange(cases) % 5 == 0).astype(np.float64)
    said = np.round(np.clip(random.beta(2, 3, cases) + 0.3 * truth * random.random(cases), 0, 1), 3)  # with ties
    return Values(("",), np.stack([truth, said], axis=1)[np.newaxis], np.arange(cases), False, True)


@pytest.mark.parametrize("name", ["average_precision", "ece", "f1"])
def test_redrawn_sums_equal_redrawn_cases(name: str) -> None:
    """Both ends, up to the noise of draws, of which there are 4,000 in both."""
    task, of = many(10_000), weighted_metric("probability", WrittenMetric(name), ("",))
    assert of.sums is not None
    sums = weighted_interval([task], [of], correct_bias=name == "ece")
    cases = weighted_interval([task], [replace(of, sums=None)], correct_bias=name == "ece")
    assert [sums.low, sums.high] != [cases.low, cases.high]
    assert [sums.low, sums.high] == pytest.approx([cases.low, cases.high], abs=0.06 * (cases.high - cases.low))


@pytest.mark.parametrize("name", ["average_precision", "ece", "f1"])
def test_sums_move_as_the_metric_of_weighted_cases(name: str) -> None:
    task, of, random = many(400), weighted_metric("probability", WrittenMetric(name), ("",)), np.random.default_rng(1)
    assert of.sums is not None
    rows, weights = task.values[0], 1 + 1e-6 * random.normal(size=(20, 400))
    sums, value = of.sums(rows), of.value(rows, np.ones((1, 400)))
    assert sums.metric(np.ones((1, 400)) @ sums.parts) == pytest.approx(value)
    moved = of.value(rows, weights) - value
    assert sums.metric(weights @ sums.parts) - value == pytest.approx(moved, rel=1e-3, abs=1e-11)


def test_redrawn_sums_of_groups() -> None:
    """Groups of five equal cases: in both ways, groups are drawn."""
    task, of = many(10_000), weighted_metric("probability", WrittenMetric("average_precision"), ("",))
    repeated = np.repeat(task.values[:, :2_000], 5, axis=1)
    grouped = replace(task, values=repeated, units=np.repeat(np.arange(2_000), 5), has_groups=True)
    sums, cases = weighted_interval([grouped], [of]), weighted_interval([grouped], [replace(of, sums=None)])
    assert [sums.low, sums.high] == pytest.approx([cases.low, cases.high], abs=0.06 * (cases.high - cases.low))
    assert cases.high - cases.low > 1.9 * (weighted_interval([task], [of]).high - weighted_interval([task], [of]).low)
