"""Classification metrics, as functions of three counts per class: right, true and predicted.

Every metric here depends only on the diagonal and the two margins of the confusion matrix, which makes thousands of
redraws cheap. Values equal scikit-learn's with `zero_division=0`. A class that is neither true nor predicted anywhere
changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class Counts:
    """Counts or shares of cases per class, each of shape (..., K): any number of redraws at once."""

    right: Floats  # cases of this class that are predicted as it
    true: Floats  # cases of this class
    predicted: Floats  # cases predicted as this class

    @classmethod
    def of_matrix(cls, matrix: Floats) -> "Counts":
        """From confusion matrices of shape (..., K, K): rows are true classes, columns predicted ones."""
        return cls(np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2))

    @classmethod
    def of_codes(cls, truth: Codes, prediction: Codes, classes: int) -> "Counts":
        """From the class numbers of single cases, each of shape (n,)."""
        return cls.of_matrix(confusion_matrix(truth, prediction, classes))


def confusion_matrix(truth: Codes, prediction: Codes, classes: int) -> Floats:
    """Shape (K, K): how many cases of each true class (rows) were predicted as each class (columns)."""
    flat = np.bincount(truth * classes + prediction, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.float64)


def accuracy(counts: Counts) -> Floats:
    return _total(counts.right) / _total(counts.true)


def balanced_accuracy(counts: Counts) -> Floats:
    """The mean recall of the classes that have cases."""
    return _mean(_ratio(counts.right, counts.true), counts.true > 0)


def _recall(counts: Counts) -> Floats:
    return _ratio(counts.right, counts.true)


def _precision(counts: Counts) -> Floats:
    return _ratio(counts.right, counts.predicted)


def _f1(counts: Counts) -> Floats:
    return _ratio(2 * counts.right, counts.true + counts.predicted)


def matthews(counts: Counts) -> Floats:
    """Matthews' correlation coefficient of any number of classes (Gorodkin 2004, Comput. Biol. Chem. 28:367)."""
    total = _total(counts.true)
    covariance = total * _total(counts.right) - _total(counts.true * counts.predicted)
    spread = (total**2 - _total(counts.true**2)) * (total**2 - _total(counts.predicted**2))
    return _ratio(covariance, np.sqrt(np.maximum(spread, 0)))


def kappa(counts: Counts) -> Floats:
    """Cohen's kappa (1960, Educ. Psychol. Meas. 20:37), unweighted; zero where only one class occurs at all."""
    total = _total(counts.true)
    by_chance = _total(counts.true * counts.predicted)
    return _ratio(total * _total(counts.right) - by_chance, total**2 - by_chance)


def _weighted(per_class: Callable[[Counts], Floats]) -> Callable[[Counts], Floats]:
    """Averages over classes, weighted by their number of cases."""
    return lambda counts: _total(per_class(counts) * counts.true) / _total(counts.true)


def _macro(per_class: Callable[[Counts], Floats]) -> Callable[[Counts], Floats]:
    """Averages over the classes that are true or predicted for any case."""
    return lambda counts: _mean(per_class(counts), counts.true + counts.predicted > 0)


Metric: TypeAlias = Callable[[Counts], Floats]

METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "recall_weighted": accuracy,  # the same number, always
    "recall_macro": _macro(_recall),
    "precision_weighted": _weighted(_precision),
    "precision_macro": _macro(_precision),
    "f1_weighted": _weighted(_f1),
    "f1_macro": _macro(_f1),
    "mcc": matthews,
    "kappa": kappa,
}
_PER_CLASS: dict[str, Metric] = {"precision": _precision, "recall": _recall, "f1": _f1}


def of_class(name: str, number: int) -> Metric:
    """The precision, recall or f1 of the class with this number."""
    per_class = _PER_CLASS[name]
    return lambda counts: np.asarray(per_class(counts)[..., number])


def _total(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=-1))


def _mean(values: Floats, where: NDArray[np.bool_]) -> Floats:
    return np.asarray(_total(values * where) / where.sum(axis=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Zero where the whole is zero."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(np.shape(part), np.shape(whole))), where=whole > 0)
