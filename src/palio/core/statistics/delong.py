"""The variance of areas under ROC curves (AUC), and of their differences.

DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44:837): an AUC is a mean over pairs of a positive and a negative case,
and its variance follows from how each case moves it. These moves, one for each case, are kept, so that the variance of
any mean or difference of AUCs on the same cases is a sum of squares: of two submissions, of several labels, and of
cases that belong together (Obuchowski 1997, Biometrics 53:567).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from palio.core.statistics.cases import Values
from palio.core.statistics.metrics import Floats


@dataclass(frozen=True)
class Areas:
    """The AUCs of M submissions, of shape (M,), each a mean over labels; `moves` has the shape (M, units).

    `positives` and `negatives` are the smallest numbers of such cases of any label.
    """

    values: Floats
    moves: Floats
    positives: int
    negatives: int

    @property
    def variances(self) -> Floats:
        return np.asarray((self.moves**2).sum(axis=1))


class OneClassError(ValueError):
    """An AUC needs both positive and negative cases, and its variance two of each. The text is a clause."""


def areas(compared: Values, labels: Sequence[int]) -> Areas:
    """Raises OneClassError."""
    count = len(compared.labels)
    parts, fewest = [], [compared.cases, compared.cases]
    for label in labels:
        truth = compared.values[0, :, label] > 0
        positives = int(truth.sum())
        fewest = [min(fewest[0], positives), min(fewest[1], len(truth) - positives)]
        if min(fewest) < 2:
            of = f" of {compared.labels[label]}" if compared.labels[label] else ""
            raise OneClassError(f"an AUC needs at least two positive and two negative cases{of}")
        parts.append([_area(truth, one[:, count + label], compared) for one in compared.values])
    return Areas(
        values=np.mean([[value for value, _ in part] for part in parts], axis=0),
        moves=np.mean([[moves for _, moves in part] for part in parts], axis=0),
        positives=fewest[0],
        negatives=fewest[1],
    )


def mean_areas(tasks: Sequence[Areas]) -> Areas:
    """The mean over tasks with cases of their own."""
    return Areas(
        values=np.mean([task.values for task in tasks], axis=0),
        moves=np.concatenate([task.moves for task in tasks], axis=1) / len(tasks),
        positives=min(task.positives for task in tasks),
        negatives=min(task.negatives for task in tasks),
    )


def logit_interval(area: float, variance: float, z: float) -> tuple[float, float]:
    """Symmetric on the logit scale, so that it stays within 0 and 1. `area` is neither, `variance` is positive."""
    center, half = special.logit(area), z * math.sqrt(variance) / (area * (1 - area))
    return float(special.expit(center - half)), float(special.expit(center + half))


def score_interval(area: float, positives: int, negatives: int, z: float) -> tuple[float, float]:
    """The areas that lie within z standard errors of the observed one, each with its own standard error.

    For samples in which DeLong's variance is zero, such as a perfect one. The standard error is that of Hanley & McNeil
    (1982, Radiology 143:29) with equal exponents, by Newcombe (2006, Statist. Med. 25:559, method 5).
    """

    def end(low: float, high: float) -> float:
        """By bisection: `low` is too far from the observed area, `high` is not."""
        for _ in range(60):
            middle = (low + high) / 2
            of_pairs = (positives + negatives) / 2 - 1
            spread = 1 + of_pairs * ((1 - middle) / (2 - middle) + middle / (1 + middle))
            error = math.sqrt(middle * (1 - middle) * spread / (positives * negatives))
            low, high = (middle, high) if abs(middle - area) > z * error else (low, middle)
        return high

    return (end(0.0, area) if area > 0 else 0.0), (end(1.0, area) if area < 1 else 1.0)


def _area(truth: NDArray[np.bool_], score: Floats, compared: Values) -> tuple[float, Floats]:
    """An AUC, and by how much each unit moves it, scaled so that the sum of squares is the variance."""
    of_case = _placements(truth, score)
    positives = int(truth.sum())
    negatives = len(truth) - positives
    area = float(of_case[truth].mean())
    moves = of_case - area
    if not compared.has_groups:
        weights = [1 / math.sqrt(negatives * (negatives - 1)), 1 / math.sqrt(positives * (positives - 1))]
        moves *= np.where(truth, weights[1], weights[0])
        return area, moves
    moves /= np.where(truth, positives, negatives)
    units = compared.unit_count
    if units < 2:
        raise OneClassError("an interval needs cases of at least two groups")
    of_unit = np.bincount(compared.units, moves, units).astype(np.float64)
    return area, of_unit * math.sqrt(units / (units - 1))


def _placements(truth: NDArray[np.bool_], score: Floats) -> Floats:
    """For a positive case the share of negatives below it, for a negative one of positives above; ties count half.

    By sorting the scores once (Sun & Xu 2014, IEEE Signal Process. Lett. 21:1389).
    """
    order = np.argsort(score)
    ordered, is_positive = score[order], truth[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-math.inf) != 0)  # of each group of equal scores
    group = np.repeat(np.arange(len(first)), np.diff(first, append=len(ordered)))
    of_case = np.empty(len(score))
    positives, negatives = (np.concatenate([[0], np.cumsum(each)]) for each in (is_positive, ~is_positive))
    after = np.append(first[1:], len(ordered))
    below, above = negatives[first] + negatives[after], 2 * positives[-1] - positives[first] - positives[after]
    shares = np.where(is_positive, below[group] / (2 * negatives[-1]), above[group] / (2 * positives[-1]))
    of_case[order] = shares
    return of_case
