"""Differences of two submissions on the same cases: values, intervals, tests and the chance of a wrong order."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from palio.core.statistics import differences
from palio.core.statistics.cases import Answers, Cases, Measurements, compared
from palio.core.statistics.differences import Difference, difference, standard_error
from palio.core.statistics.draws import generator
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import METRICS, Floats

CLASSES = "abcdef"
N = 600


def cases(wrong: Sequence[int], n: int = N) -> tuple[Cases, ...]:
    truths = [CLASSES[place % 6] for place in range(n)]
    said = [CLASSES[(place + (place in wrong)) % 6] for place in range(n)]
    return (Cases(tuple(f"{place:04}" for place in range(n)), tuple(truths), tuple(said)),)


def measured(values: Floats | Sequence[Sequence[float]], *, has_truth: bool = False) -> tuple[Measurements, ...]:
    files = tuple(f"{place:04}" for place in range(len(values)))
    label = "" if has_truth else "dice"
    return (Measurements(files, (), (label,), np.array(values, dtype=np.float64), has_truth),)


def test_difference_of_accuracies() -> None:
    found = difference("classification", "accuracy", cases([0]), cases([5, 6]))
    assert (found.only_a, found.only_b, found.p_value, found.test) == (2, 1, 1.0, "exact McNemar")
    assert found.value == pytest.approx(1 / N)
    assert found.reversed == pytest.approx(0.3125)  # the worked case: .31
    assert found.interval is not None
    assert found.interval.low < 0 < found.value < found.interval.high


def test_difference_turns_sign_with_order() -> None:
    a, b = cases(range(3)), cases(range(10, 30))
    there, back = difference("classification", "f1_macro", a, b), difference("classification", "f1_macro", b, a)
    assert there.value == -back.value
    assert there.p_value == back.p_value
    assert (there.only_a, there.only_b) == (back.only_b, back.only_a) == (20, 3)
    assert there.reversed == pytest.approx(back.reversed, abs=0.003)  # other draws
    assert there.reversed is not None
    assert there.reversed < 0.01


@pytest.mark.parametrize("metric", ["accuracy", "f1_weighted", "mcc", "recall(a)"])
def test_interval_of_equal_perfect_predictions_has_width(metric: str) -> None:
    found = difference("classification", metric, cases([]), cases([]))
    assert (found.value, found.p_value, found.reversed) == (0.0, 1.0, None)
    assert found.interval is not None
    assert -0.05 < found.interval.low < 0 < found.interval.high < 0.05


@pytest.mark.parametrize(("of_a", "of_b"), [(0.002, 0.01), (0.02, 0.03), (0.002, 0.002)])
def test_interval_of_accuracies_covers(monkeypatch: pytest.MonkeyPatch, of_a: float, of_b: float) -> None:
    """Independent errors, n = 600: nominal 95 %, within three standard errors of 150 repeats."""
    monkeypatch.setattr(differences, "DRAWS", 800)
    random, truth, covered = generator(1), np.arange(N) % 6, 0
    for seed in range(150):
        wrong = random.random((2, N)) < np.array([[of_a], [of_b]])
        answers = Answers(tuple(CLASSES), truth, np.where(wrong, (truth + 1) % 6, truth))
        drawn = differences._joint_draws(answers, METRICS["accuracy"], generator(seed))
        low, high = np.quantile(drawn, [0.025, 0.975])
        covered += bool(low <= of_b - of_a <= high)
    assert covered / 150 > 0.95 - 3 * (0.95 * 0.05 / 150) ** 0.5


def test_difference_of_means() -> None:
    random = generator(2)
    a = random.random(80) / 2 + 0.4
    b = a - 0.02 - random.random(80) / 50
    found = difference("mean", "mean(dice)", measured(a[:, None]), measured(b[:, None]))
    assert (found.only_a, found.only_b, found.test) == (None, None, "sign-flip permutation")
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.p_value < 0.001
    assert found.interval is not None
    assert 0.02 < found.interval.low < found.value < found.interval.high < 0.04
    assert found.reversed == 0.0


def test_difference_where_lower_is_better() -> None:
    random = generator(3)
    truth = random.random(60)
    near, far = truth + random.normal(0, 0.1, 60), truth + random.normal(0, 0.12, 60)
    of = [measured(np.stack([truth, said], axis=1), has_truth=True) for said in (near, far)]
    found = difference("pairs", "mae", of[0], of[1], descending=False)
    assert found.value < 0
    assert found.reversed is not None
    assert 0 < found.reversed < 0.5


def test_difference_of_areas_is_delongs() -> None:
    random = generator(4)
    truth = (np.arange(200) % 2).astype(float)
    of = [
        measured(np.stack([truth, truth + random.normal(0, spread, 200)], axis=1), has_truth=True)
        for spread in (0.6, 1.2)
    ]
    found = difference("probability", "auc", of[0], of[1])
    assert found.test == "paired DeLong"
    assert found.interval is not None
    # The interval holds no zero exactly where the test is significant: both are the same normal distribution.
    assert (found.interval.low > 0) == (found.p_value < 0.05)
    assert found.reversed == pytest.approx(found.p_value / 2, rel=1e-6)


def test_difference_of_medians_has_no_interval() -> None:
    values = generator(5).random((40, 1))
    found = difference("mean", "median(dice)", measured(values), measured(values / 2))
    assert (found.interval, found.no_interval) == (None, "no interval of a difference of medians covers")


def test_difference_of_constant_values_has_no_interval() -> None:
    found = difference("mean", "mean(dice)", measured([[0.5]] * 20), measured([[0.25]] * 20))
    assert found.interval is None
    assert found.no_interval.startswith("all redraws of the cases give the same difference")


def test_difference_on_other_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="scored on different cases"):
        difference("classification", "accuracy", cases([]), cases([], n=599))
    with pytest.raises(ValueError, match="scored on different cases"):
        difference("classification", "accuracy", cases([]), cases([]) * 2)


def test_difference_over_several_tasks_is_that_of_the_mean() -> None:
    a, b = cases([0]) + cases([], n=60), cases([5, 6]) + cases([1], n=60)
    found: Difference = difference("classification", "accuracy", a, b)
    assert found.value == pytest.approx((1 / 600 + 1 / 60) / 2)
    assert (found.only_a, found.only_b, found.cases) == (3, 1, 660)
    assert found.test == "paired permutation"


def test_standard_error_of_accuracies() -> None:
    """(b - c)² / n of the squared differences is their mean's; one case more is exactly one standard error."""
    assert standard_error("classification", "accuracy", cases([0]), cases([])) == pytest.approx(1 / N)
    found = standard_error("classification", "accuracy", cases(range(12)), cases(range(10, 30)))
    apart = np.array([1.0] * 18 + [-1.0] * 10 + [0.0] * (N - 28))
    assert found == pytest.approx(apart.std(ddof=1) / np.sqrt(N))
    assert standard_error("classification", "accuracy", cases([3]), cases([3])) == 0


def test_standard_error_of_means_by_group() -> None:
    values = generator(3).normal(0.8, 0.1, (2, 40))
    a, b = measured(values[0][:, np.newaxis]), measured(values[1][:, np.newaxis])
    assert standard_error("mean", "mean(dice)", a, b) == pytest.approx((values[0] - values[1]).std(ddof=1) / 40**0.5)
    grouped = [
        (
            replace(
                one,
                values=np.repeat(one.values, 2, axis=0),
                files=one.files + tuple(f"x{each}" for each in one.files),
                groups=tuple(str(place // 2) for place in range(80)),
            ),
        )
        for (one,) in (a, b)
    ]
    twice = standard_error("mean", "mean(dice)", *grouped)
    assert twice == pytest.approx(standard_error("mean", "mean(dice)", a, b))  # a copy of each case tells nothing


def test_standard_error_over_tasks() -> None:
    a, b = cases(range(12)), cases(range(10, 30))
    one = standard_error("classification", "accuracy", a, b)
    assert standard_error("classification", "accuracy", a * 2, b * 2) == pytest.approx(one / np.sqrt(2))


@pytest.mark.parametrize("metric", ["f1_weighted", "mcc", "balanced_accuracy"])
def test_standard_error_of_other_metrics_of_classes(metric: str) -> None:
    """Near that of accuracy, as errors are spread evenly over classes; the prior adds a little, so it is never zero."""
    accuracy = standard_error("classification", "accuracy", cases(range(30)), cases(range(20, 60)))
    found = standard_error("classification", metric, cases(range(30)), cases(range(20, 60)))
    assert accuracy * 0.95 < found < accuracy * 1.35
    assert standard_error("classification", metric, cases([3]), cases([3])) > 0


@pytest.mark.parametrize("metric", ["auc", "average_precision", "brier", "ece"])
def test_standard_error_of_probabilities(metric: str) -> None:
    """Against the spread of the difference over new samples."""
    random = generator(7)

    def sample() -> tuple[tuple[Measurements, ...], tuple[Measurements, ...]]:
        truth = (np.arange(300) % 2).astype(np.float64)
        said = [np.clip(0.5 + (truth - 0.5) * 0.5 + random.normal(0, scale, 300), 0.01, 0.99) for scale in (0.3, 0.4)]
        return tuple(measured(np.stack([truth, each], axis=1), has_truth=True) for each in said)  # type: ignore[return-value]

    of = method("probability", metric)
    found = [float(-np.diff(of.values(compared([a, b])))[0]) for (a,), (b,) in (sample() for _ in range(100))]
    errors = [standard_error("probability", metric, *sample()) for _ in range(5)]
    assert 0.65 < np.mean(errors) / np.std(found, ddof=1) < 1.5


def test_standard_error_unknown() -> None:
    a, b = measured([[0.5], [0.7], [0.9]]), measured([[0.4], [0.7], [0.8]])
    with pytest.raises(ValueError, match="no interval of a difference of medians covers"):
        standard_error("mean", "median(dice)", a, b)
    with pytest.raises(ValueError, match="different cases"):
        standard_error("classification", "accuracy", cases([0]), cases([0], 500))
    with pytest.raises(ValueError, match="at least two cases"):
        standard_error("mean", "mean(dice)", measured([[0.5]]), measured([[0.4]]))
