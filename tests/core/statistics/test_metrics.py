from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sklearn

from palio.core.statistics.metrics import METRICS, Counts, accuracy, confusion_matrix, of_class

RANDOM = np.random.default_rng(7)
SKLEARN = {
    "accuracy": sklearn.accuracy_score,
    "balanced_accuracy": sklearn.balanced_accuracy_score,
    "mcc": sklearn.matthews_corrcoef,
    "kappa": sklearn.cohen_kappa_score,
} | {
    f"{name}_{average}": lambda truth, said, score=score, average=average: score(
        truth, said, average=average, zero_division=0
    )
    for name, score in (
        ("recall", sklearn.recall_score),
        ("precision", sklearn.precision_score),
        ("f1", sklearn.f1_score),
    )
    for average in ("weighted", "macro")
}


def test_metrics_all_compared() -> None:
    assert set(METRICS) == set(SKLEARN)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("skew", [False, True])
def test_metrics_equal_scikit_learn(metric: str, skew: bool) -> None:
    for _ in range(8):
        classes = int(RANDOM.integers(2, 7))
        truth = np.concatenate([np.arange(classes), RANDOM.integers(0, 2 if skew else classes, 60)])
        said = np.where(RANDOM.random(len(truth)) < 0.7, truth, RANDOM.integers(0, 2, len(truth)))
        value = METRICS[metric](Counts.of_codes(truth, said, classes))
        assert float(value) == pytest.approx(SKLEARN[metric](truth, said), abs=1e-14)


@pytest.mark.parametrize("metric", sorted(set(METRICS) - {"balanced_accuracy"}))  # scikit-learn warns of that one
def test_class_only_in_predictions(metric: str) -> None:
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    expected = SKLEARN[metric](truth, said)
    assert float(METRICS[metric](Counts.of_codes(truth, said, 3))) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("metric", METRICS)
def test_class_without_cases(metric: str) -> None:
    truth, said = RANDOM.integers(0, 3, 50), RANDOM.integers(0, 3, 50)
    few, many = (float(METRICS[metric](Counts.of_codes(truth, said, classes))) for classes in (3, 5))
    assert few == many


@pytest.mark.parametrize("metric", METRICS)
def test_many_matrices_at_once(metric: str) -> None:
    matrices = RANDOM.integers(0, 9, (5, 4, 4)).astype(float)
    together = METRICS[metric](Counts.of_matrix(matrices))
    assert together.tolist() == [float(METRICS[metric](Counts.of_matrix(matrix))) for matrix in matrices]


@pytest.mark.parametrize(
    ("name", "score"),
    [("recall", sklearn.recall_score), ("precision", sklearn.precision_score), ("f1", sklearn.f1_score)],
)
def test_metrics_of_one_class(name: str, score: Callable[..., list[float]]) -> None:
    truth, said = RANDOM.integers(0, 4, 80), RANDOM.integers(0, 5, 80)
    expected = score(truth, said, average=None, labels=range(5), zero_division=0)
    found = [float(of_class(name, number)(Counts.of_codes(truth, said, 5))) for number in range(5)]
    assert found == pytest.approx(list(expected), abs=1e-15)


@pytest.mark.parametrize("metric", ["mcc", "kappa"])
def test_agreement_of_constant_predictions_is_zero(metric: str) -> None:
    assert float(METRICS[metric](Counts.of_codes(np.array([0, 0, 1]), np.array([0, 0, 0]), 2))) == 0
    assert float(METRICS[metric](Counts.of_codes(np.array([0, 0]), np.array([0, 0]), 1))) == 0


def test_weighted_recall_is_accuracy() -> None:
    assert METRICS["recall_weighted"] is accuracy


def test_confusion_matrix_has_truths_in_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([1, 0, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
