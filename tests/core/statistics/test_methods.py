"""Every metric that a bundle can name, by the one object that computes it."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn

from palio.core.bundle.case_metrics import KINDS, form
from palio.core.statistics import weighted_method
from palio.core.statistics.cases import Answers, Compared, Values
from palio.core.statistics.intervals import NoIntervalError
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import Floats

CASES = 120
CLASSES = ("a", "b", "c")
WRITTEN = {"CLASS": "b", "COLUMN": "dice", "SPECIFICITY": "0.9"}
ALL = [(kind, form(name, known)) for kind, metrics in KINDS.items() for name, known in metrics.items()]


def filled(written: str) -> str:
    for placeholder, argument in WRITTEN.items():
        written = written.replace(f"({placeholder})", f"({argument})")
    return written


def data(kind: str, submissions: int = 1, cases: int = CASES, seed: int = 1) -> Compared:
    """Submissions whose errors grow with their number."""
    random, noise = np.random.default_rng(seed), 1 + 3 * np.arange(submissions)[:, np.newaxis]
    if kind == "classification":
        classes = np.arange(cases) % 3
        wrong = random.random((submissions, cases)) < 0.04 * noise**1.6
        return Answers(CLASSES, classes, np.where(wrong, (classes + 1) % 3, classes))
    if kind == "mean":
        values = random.beta(8, 1.5, cases) * 0.9**noise
        return Values(("dice",), values[..., np.newaxis], np.arange(cases), False, False)
    truth = (np.arange(cases) % 3 == 0).astype(float) if kind == "probability" else random.normal(20, 5, cases)
    said = truth + random.normal(0, 0.4, (submissions, cases)) * noise
    said = 1 / (1 + np.exp(2 - 4 * said)) if kind == "probability" else said
    rows = np.stack([np.broadcast_to(truth, said.shape), said], axis=-1)
    return Values(("",), rows, np.arange(cases), False, kind == "probability")


def numbers(task: Compared) -> tuple[Floats, Floats]:
    assert isinstance(task, Values)
    return task.values[0, :, 0], task.values[0, :, -1]


@pytest.mark.parametrize(("kind", "written"), ALL)
def test_every_metric_has_a_value_an_interval_and_a_test(kind: str, written: str) -> None:
    one, two, of = data(kind), data(kind, 2), method(kind, filled(written))
    (value,) = of.values(one)
    interval = of.interval([one])
    assert interval.low <= value <= interval.high
    assert 0 < interval.high - interval.low < abs(value) + 1
    assert of.interval([data(kind)]) == interval
    different, same = of.p_values([two], [(0, 1), (0, 0)])
    assert 0 < different < 0.05
    assert same == 1
    assert of.test(1) == KINDS[kind][written.partition("(")[0]].test
    redrawn = of.redrawer(two)(500, np.random.default_rng(2))
    assert redrawn.shape == (2, 500)
    assert np.median(redrawn, axis=1) == pytest.approx(of.values(two), abs=0.3 * abs(value))


@pytest.mark.parametrize(("kind", "written"), [each for each in ALL if not each[1].startswith("median")])
def test_every_metric_has_an_interval_of_its_mean_over_tasks(kind: str, written: str) -> None:
    of, tasks = method(kind, filled(written)), [data(kind, seed=seed) for seed in (1, 2)]
    interval, value = of.interval(tasks), np.mean([of.values(task)[0] for task in tasks])
    assert interval.low <= value <= interval.high
    widths = [single.high - single.low for single in (of.interval([task]) for task in tasks)]
    assert interval.high - interval.low == pytest.approx(np.hypot(widths[0], widths[1]) / 2, rel=0.35)
    (same,) = of.p_values([data(kind, 2), data(kind, 2)], [(0, 0)])
    assert same == 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("auc", sklearn.roc_auc_score),
        ("average_precision", sklearn.average_precision_score),
        ("brier", sklearn.brier_score_loss),
        ("f1", lambda truth, said: sklearn.f1_score(truth, said >= 0.5)),
    ],
)
@pytest.mark.parametrize("digits", [15, 1])  # with 1: many ties
def test_values_of_probabilities_are_those_of_scikit_learn(
    written: str, expected: Callable[..., float], digits: int
) -> None:
    task = data("probability")
    assert isinstance(task, Values)
    task = Values(task.labels, np.round(task.values, digits), task.units, False, True)
    assert method("probability", written).values(task) == pytest.approx([expected(*numbers(task))], abs=1e-12)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("mae", sklearn.mean_absolute_error),
        ("mse", sklearn.mean_squared_error),
        ("rmse", sklearn.root_mean_squared_error),
        ("median_absolute_error", sklearn.median_absolute_error),
        ("r2", sklearn.r2_score),
    ],
)
def test_values_of_pairs_are_those_of_scikit_learn(written: str, expected: Callable[..., float]) -> None:
    task = data("pairs")
    assert method("pairs", written).values(task) == pytest.approx([expected(*numbers(task))], rel=1e-12)


@pytest.mark.parametrize("specificity", [0.5, 0.9, 0.975])
def test_sensitivity_at_a_specificity_is_read_off_the_curve_of_scikit_learn(specificity: float) -> None:
    task = data("probability")
    false_alarms, sensitivity, _ = sklearn.roc_curve(*numbers(task), drop_intermediate=False)
    expected = sensitivity[false_alarms <= 1 - specificity + 1e-12].max()
    of = method("probability", f"sensitivity_at_specificity({specificity})")
    assert of.values(task) == pytest.approx([expected])


def test_calibration_error_by_hand() -> None:
    truth, said = np.array([0, 1, 1, 0, 1.0]), np.array([0.05, 0.05, 0.95, 1.0, 0.61])
    task = Values(("",), np.stack([truth, said], axis=1)[np.newaxis], np.arange(5), False, True)
    expected = (abs(1 - 0.1) + abs(1 - 1.95) + abs(1 - 0.61)) / 5
    assert method("probability", "ece").values(task) == pytest.approx([expected])


def test_probabilities_of_several_labels_are_averaged() -> None:
    first, second = (data("probability", seed=seed) for seed in (1, 2))
    assert isinstance(first, Values)
    assert isinstance(second, Values)
    columns = [first.values[0, :, 0], second.values[0, :, 0], first.values[0, :, 1], second.values[0, :, 1]]
    both = Values(("x", "y"), np.stack(columns, axis=1)[np.newaxis], first.units, False, False)
    for name in ("auc", "average_precision", "brier", "ece", "f1"):
        single = [method("probability", name).values(task)[0] for task in (first, second)]
        assert method("probability", name).values(both) == pytest.approx([np.mean(single)])
        assert method("probability", f"{name}(y)").values(both) == pytest.approx([single[1]])
        assert method("probability", name).interval([both]).low < np.mean(single)
    with pytest.raises(ValueError, match=r"^there is no label z; the labels are x, y$"):
        method("probability", "auc(z)").values(both)


def test_class_that_no_case_has() -> None:
    with pytest.raises(ValueError, match=r"^there is no class d; the classes are a, b, c$"):
        method("classification", "recall(d)").interval([data("classification")])


def test_medians_of_several_tasks_have_no_interval() -> None:
    with pytest.raises(NoIntervalError, match=r"^there is no interval for the mean of the medians of several tasks$"):
        method("mean", "median(dice)").interval([data("mean"), data("mean")])


@pytest.mark.parametrize("name", ["average_precision", "f1"])
def test_perfect_bootstrap_has_no_interval(name: str) -> None:
    truth = (np.arange(30) % 2).astype(float)
    task = Values(("",), np.stack([truth, truth], axis=1)[np.newaxis], np.arange(30), False, True)
    with pytest.raises(NoIntervalError, match=r"^all redraws of the cases give the same value"):
        method("probability", name).interval([task])


# -- tests of differences


def test_sign_flips_are_the_permutation_test_of_scipy() -> None:
    random = np.random.default_rng(3)
    first = random.beta(8, 1.5, 40)
    second = first + random.normal(0.02, 0.06, 40)
    task = Values(("dice",), np.stack([first, second])[..., np.newaxis], np.arange(40), False, False)
    exact = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    (p_value,) = method("mean", "mean(dice)").p_values([task], [(0, 1)])
    assert p_value == pytest.approx(exact.pvalue, abs=0.01)


@pytest.mark.parametrize(("written", "general"), [("rmse", np.sqrt), ("r2", lambda squared: -squared)])
def test_sign_flips_of_squared_errors_are_exact_for_functions_of_them(
    written: str, general: Callable[[Floats], Floats]
) -> None:
    """Exchanging cases keeps the sum of both means, so that the differences of both have the same order."""
    random = np.random.default_rng(8)
    task = data("pairs", 2, cases=12, seed=8)
    assert isinstance(task, Values)
    task = Values(task.labels, task.values, task.units, False, False)
    squared = (task.values[..., 1] - task.values[..., 0]) ** 2
    swaps = random.random((40_000, 12)) < 0.5
    one, other = (np.where(swaps, squared[a], squared[b]).mean(axis=1) for a, b in ((1, 0), (0, 1)))
    observed = abs(general(squared[0].mean()) - general(squared[1].mean()))
    expected = (np.abs(general(one) - general(other)) >= observed - 1e-12).mean()
    assert method("pairs", written).p_values([task], [(0, 1)])[0] == pytest.approx(expected, abs=0.01)


def test_sign_flips_exchange_groups_as_a_whole() -> None:
    """Each case ten times is no more evidence than once."""
    first = np.array([0.9, 0.8, 0.85, 0.7, 0.95])
    second = first - np.array([0.02, 0.01, 0.03, 0.01, 0.02])
    repeated = np.repeat(np.stack([first, second]), 10, axis=1)[..., np.newaxis]
    of, units = method("mean", "mean(dice)"), np.repeat(np.arange(5), 10)
    (together,) = of.p_values([Values(("dice",), repeated, units, True, False)], [(0, 1)])
    (apart,) = of.p_values([Values(("dice",), repeated, np.arange(50), False, False)], [(0, 1)])
    assert together == pytest.approx(2 / 32, abs=0.01)
    assert apart < 0.001


def test_permutation_of_probabilities_against_its_definition() -> None:
    """Every one of the 2^8 arrangements."""
    random = np.random.default_rng(9)
    truth = np.array([1.0, 0, 1, 0, 1, 0, 0, 1])
    said = np.clip(truth * 0.5 + random.random((2, 8)) * np.array([[0.5], [0.8]]), 0, 1)
    rows = np.stack([np.broadcast_to(truth, said.shape), said], axis=-1)
    task = Values(("",), rows, np.arange(8), False, True)

    def difference(arrangement: int) -> float:
        swap = np.array([bool(arrangement >> bit & 1) for bit in range(8)])
        one, other = np.where(swap, said[1], said[0]), np.where(swap, said[0], said[1])
        score = sklearn.average_precision_score
        return abs(float(score(truth, one)) - float(score(truth, other)))

    differences = [difference(arrangement) for arrangement in range(2**8)]
    exact = np.mean([each >= differences[0] - 1e-12 for each in differences])
    (p_value,) = method("probability", "average_precision").p_values([task], [(0, 1)])
    assert p_value == pytest.approx(exact, abs=0.015)


# -- coverage


@pytest.mark.parametrize(
    ("kind", "written", "cases"),
    [
        ("probability", "average_precision", 150),
        ("probability", "brier", 150),
        ("probability", "ece", 300),
        ("probability", "sensitivity_at_specificity(0.8)", 300),
        ("pairs", "mae", 50),
        ("pairs", "rmse", 50),
        ("pairs", "r2", 100),
    ],
)
def test_coverage_of_95_percent_intervals(kind: str, written: str, cases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The true value is that of 100,000 cases."""
    of = method(kind, written)
    (true,) = of.values(data(kind, cases=100_000, seed=0))
    for name in ("weighted_interval", "mean_interval"):
        original = getattr(weighted_method, name)
        monkeypatch.setattr(weighted_method, name, functools.partial(original, draws=300))
    held = 0
    for seed in range(1, 151):
        interval = of.interval([data(kind, cases=cases, seed=seed)])
        held += interval.low <= true <= interval.high
    assert 0.88 <= held / 150 <= 1
