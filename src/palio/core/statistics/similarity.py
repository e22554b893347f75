"""Submissions of different teams whose predictions are nearly equal. Imports numpy.

Good submissions agree because both are right, so agreement says nothing. What counts are the same wrong answers on the
same cases. Were two submissions independent given the true class, their number would be nearly Poisson distributed,
with the mean that follows from how often each gives which wrong answer. That chance is no proof: cases that are hard
for every method, a shared public model or shared pretraining make errors agree as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from palio.core.statistics.cases import Answers, Cases, Measurements, SingleCases, Values
from palio.core.statistics.metrics import Floats

SHOWN = 50  # pairs
_FEWEST_SHARED = 5  # the same wrong answers
_CHANCE = 1e-3  # of any such pair on the whole leaderboard, below which a pair is named (Bonferroni)
_DIFFER = 0.2  # of the number of errors: on so many cases may their predictions differ
_EQUAL_SHARE, _FEWEST_EQUAL = 0.9, 20  # of numbers
_CLOSE = 1e-9


@dataclass(frozen=True)
class Similar:
    """Two submissions, by number. `equal` of `cases` predictions are the same, `shared` of them wrong.

    `chance` is that of so many same wrong answers under independence; None for numbers, which hardly ever agree by
    chance, and of which only those other than 0 and 1 count as `shared`.
    """

    a: int
    b: int
    cases: int
    equal: int
    shared: int
    errors_a: int | None
    errors_b: int | None
    chance: float | None


def similar_pairs(cases: Sequence[SingleCases], teams: Sequence[str]) -> list[Similar]:
    """The most similar pairs of submissions of different teams, the most striking first; at most SHOWN.

    Raises ValueError if they were scored on different cases.
    """
    classified = [each for each in cases if isinstance(each, Cases)]
    if len(cases) < 2:
        return []
    if classified:
        found = _of_classes(Answers.of(classified), teams)
    else:
        found = _of_numbers(Values.of([each for each in cases if isinstance(each, Measurements)]), cases, teams)
    found.sort(key=lambda each: (each.chance or 0.0, -each.shared, -each.equal))
    return found[:SHOWN]


def _of_classes(answers: Answers, teams: Sequence[str]) -> list[Similar]:
    count, classes = len(answers.predictions), len(answers.classes)
    wrong = answers.predictions != answers.truth
    errors = wrong.sum(axis=1)
    shared, expected = np.zeros((count, count)), np.zeros((count, count))
    equal = np.zeros((count, count))
    for said in range(classes):
        is_said = (answers.predictions == said).astype(np.float32)
        equal += is_said @ is_said.T
        is_wrong = is_said * wrong
        shared += is_wrong @ is_wrong.T
        for truth in range(classes):
            of_class = answers.truth == truth
            if truth == said or not of_class.any():
                continue
            often: Floats = is_wrong[:, of_class].sum(axis=1, dtype=np.float64)
            if often.any():
                expected += np.outer(often, often) / of_class.sum()
    found = []
    for a, b in zip(*np.nonzero(np.triu(shared >= _FEWEST_SHARED, 1)), strict=True):
        differ = answers.cases - equal[a, b]
        if teams[a] == teams[b] or differ > _DIFFER * (errors[a] + errors[b]) / 2:
            continue
        chance = float(special.pdtrc(shared[a, b] - 1, expected[a, b]))
        if chance * count * (count - 1) / 2 < _CHANCE:
            both, same = int(equal[a, b]), int(shared[a, b])
            found.append(Similar(int(a), int(b), answers.cases, both, same, int(errors[a]), int(errors[b]), chance))
    return found


def _of_numbers(values: Values, cases: Sequence[SingleCases], teams: Sequence[str]) -> list[Similar]:
    first = cases[0]
    start = len(values.labels) if isinstance(first, Measurements) and first.has_truth else 0
    numbers = values.values[:, :, start:]
    found = []
    for a in range(len(numbers) - 1):
        close = np.isclose(numbers[a + 1 :], numbers[a], rtol=_CLOSE, atol=0).all(axis=2)
        is_trivial = ((numbers[a] == 0) | (numbers[a] == 1)).all(axis=1)
        for place, of_pair in enumerate(close):
            b, counted = a + 1 + place, int((~is_trivial).sum())
            shared = int((of_pair & ~is_trivial).sum())
            if teams[a] == teams[b] or shared < max(_FEWEST_EQUAL, _EQUAL_SHARE * counted):
                continue
            found.append(Similar(a, b, values.cases, int(of_pair.sum()), shared, None, None, None))
    return found
