from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from palio.core.statistics.cases import Values
from palio.core.statistics.delong import OneClassError, areas
from palio.core.statistics.intervals import area_interval
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import Floats

AUC = method("probability", "auc")


def values(truth: Floats, *scores: Floats, groups: Sequence[int] = ()) -> Values:
    """Of submissions with one label each."""
    rows = np.stack([np.stack([truth, score], axis=1) for score in scores])
    units = np.unique(groups, return_inverse=True)[1] if groups else np.arange(len(truth))
    return Values(("",), rows, units, bool(groups), has_classes=True)


def sample(random: np.random.Generator, positives: int, negatives: int, distance: float) -> tuple[Floats, Floats]:
    truth = np.repeat([1.0, 0.0], [positives, negatives])
    return truth, random.normal(truth * distance, 1)


def by_definition(truth: Floats, *scores: Floats) -> tuple[Floats, Floats]:
    """AUCs and their covariance matrix, from all pairs of a positive and a negative case."""
    kernels = []
    for score in scores:
        difference = score[truth == 1][:, np.newaxis] - score[truth == 0]
        kernels.append((np.sign(difference) + 1) / 2)
    of_positives = np.cov([kernel.mean(axis=1) for kernel in kernels])
    of_negatives = np.cov([kernel.mean(axis=0) for kernel in kernels])
    positives, negatives = kernels[0].shape
    return np.array([kernel.mean() for kernel in kernels]), of_positives / positives + of_negatives / negatives


@pytest.mark.parametrize("has_ties", [False, True])
def test_areas_and_variances_are_those_of_the_definition(has_ties: bool) -> None:
    random = np.random.default_rng(1)
    truth, first = sample(random, 17, 30, 1.2)
    second = first + random.normal(0, 0.7, len(truth))
    if has_ties:
        first, second = np.round(first), np.round(second)
    expected, covariance = by_definition(truth, first, second)
    found = areas(values(truth, first, second), [0])
    assert found.values == pytest.approx(expected, abs=1e-14)
    assert found.values == pytest.approx([roc_auc_score(truth, score) for score in (first, second)], abs=1e-14)
    assert found.moves @ found.moves.T == pytest.approx(covariance, abs=1e-15)
    z = (expected[0] - expected[1]) / np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    (p_value,) = AUC.p_values([values(truth, first, second)], [(0, 1)])
    assert p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_interval_is_that_of_the_logit() -> None:
    truth, score = sample(np.random.default_rng(2), 40, 50, 1.0)
    (area, _), covariance = by_definition(truth, score, score)
    half = 1.959964 * np.sqrt(covariance[0, 0]) / (area * (1 - area))
    center = np.log(area / (1 - area))
    interval = AUC.interval([values(truth, score)])
    assert (interval.low, interval.high) == pytest.approx(
        (1 / (1 + np.exp(half - center)), 1 / (1 + np.exp(-half - center))), abs=1e-6
    )


@pytest.mark.parametrize(("positives", "distance"), [(20, 3.0), (30, 2.3), (60, 1.2)])
def test_coverage(positives: int, distance: float) -> None:
    random, true, held = np.random.default_rng(positives), stats.norm.cdf(distance / np.sqrt(2)), 0
    for _ in range(400):
        interval = AUC.interval([values(*sample(random, positives, 2 * positives, distance))])
        held += interval.low <= true <= interval.high
    assert held / 400 == pytest.approx(0.955, abs=0.03)


@pytest.mark.parametrize("factor", [1, -1])
def test_perfect_and_reversed_scores_have_an_interval_with_width(factor: int) -> None:
    truth = np.repeat([1.0, 0.0], [20, 30])
    interval = AUC.interval([values(truth, factor * truth)])
    near, far = (interval.high, interval.low) if factor == 1 else (1 - interval.low, 1 - interval.high)
    assert near == 1
    assert 0.8 < far < 0.95


def test_constant_scores() -> None:
    truth = np.repeat([1.0, 0.0], [20, 30])
    interval = AUC.interval([values(truth, 0 * truth)])
    assert interval.low < 0.4
    assert interval.high > 0.6
    perfect, constant, same = truth, 0 * truth, 0 * truth + 1
    p_values = AUC.p_values([values(truth, perfect, constant, same)], [(0, 1), (1, 2)])
    assert p_values.tolist() == [1 / 10_001, pytest.approx(1)]


def test_p_values_are_uniform_without_a_difference() -> None:
    random, below = np.random.default_rng(4), 0
    for _ in range(400):
        truth, shared = sample(random, 30, 40, 1.0)
        first, second = (shared + random.normal(0, 0.8, len(truth)) for _ in range(2))
        below += AUC.p_values([values(truth, first, second)], [(0, 1)])[0] < 0.05
    assert below / 400 == pytest.approx(0.05, abs=0.025)


def test_cases_that_belong_together_widen_the_interval() -> None:
    """Each case four times: the interval has to be that of the single ones."""
    random = np.random.default_rng(5)
    truth, score = sample(random, 40, 40, 1.0)
    once = AUC.interval([values(truth, score)])
    repeated = values(np.tile(truth, 4), np.tile(score, 4), groups=[*range(80)] * 4)
    together = AUC.interval([repeated])
    apart = AUC.interval([values(np.tile(truth, 4), np.tile(score, 4))])
    assert together.high - together.low == pytest.approx(once.high - once.low, rel=0.03)
    assert apart.high - apart.low == pytest.approx((once.high - once.low) / 2, rel=0.03)


def test_mean_over_labels_knows_that_labels_share_cases() -> None:
    """Two labels with the same truth and scores are worth no more than one."""
    truth, score = sample(np.random.default_rng(6), 20, 30, 1.0)
    both = Values(("a", "b"), np.stack([truth, truth, score, score], axis=1)[np.newaxis], np.arange(50), False, False)
    assert AUC.interval([both]) == AUC.interval([values(truth, score)])
    assert method("probability", "auc(b)").interval([both]) == AUC.interval([values(truth, score)])


def test_mean_over_tasks() -> None:
    random = np.random.default_rng(7)
    tasks = [values(*sample(random, 40, 40, 1.0)) for _ in range(4)]
    single = [areas(task, [0]) for task in tasks]
    mean = float(np.mean([each.values for each in single]))
    variance = float(np.mean([each.variances for each in single])) / 4
    half = 1.959964 * np.sqrt(variance) / (mean * (1 - mean))
    interval = AUC.interval(tasks)
    assert interval.low == pytest.approx(1 / (1 + np.exp(half - np.log(mean / (1 - mean)))), abs=1e-6)


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_too_few_of_a_class(positives: int) -> None:
    truth = (np.arange(10) < positives).astype(float)
    with pytest.raises(OneClassError, match=r"^an AUC needs at least two positive and two negative cases$"):
        area_interval(areas(values(truth, np.arange(10.0)), [0]))
