"""Nearly equal predictions of different teams, and independent ones that only agree because they are right."""

import numpy as np
import pytest

from palio.core.statistics.cases import Cases, Measurements
from palio.core.statistics.similarity import similar_pairs

CLASSES = "abcdef"
N = 600


def predicting(wrong: dict[int, int]) -> Cases:
    """`wrong`: by how many classes the prediction of a case is off."""
    files = tuple(f"{place:04}" for place in range(N))
    truths = tuple(CLASSES[place % 6] for place in range(N))
    said = tuple(CLASSES[(place + wrong.get(place, 0)) % 6] for place in range(N))
    return Cases(files, truths, said)


def numbers(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Measurements:
    files = tuple(f"{place:04}" for place in range(len(values)))
    return Measurements(files, (), ("dice",), values[:, np.newaxis], has_truth=False)


def test_copied_errors_found() -> None:
    copied = predicting(dict.fromkeys(range(0, 200, 10), 1))
    nearly = predicting(dict.fromkeys(range(0, 190, 10), 1))
    (found,) = similar_pairs([copied, nearly, predicting({5: 2, 17: 1})], ["x", "y", "z"])
    assert (found.a, found.b, found.cases, found.equal, found.shared) == (0, 1, 600, 599, 19)
    assert (found.errors_a, found.errors_b) == (20, 19)
    assert found.chance is not None
    assert found.chance < 1e-12


def test_copied_errors_of_one_team_not_named() -> None:
    copied = predicting(dict.fromkeys(range(0, 200, 10), 1))
    assert similar_pairs([copied, copied], ["x", "x"]) == []


@pytest.mark.parametrize("share", [0.002, 0.02, 0.2])
def test_independent_errors_not_named(share: float) -> None:
    random = np.random.default_rng(1)
    teams = [
        predicting({int(place): int(random.integers(1, 6)) for place in np.flatnonzero(random.random(N) < share)})
        for _ in range(40)
    ]
    assert similar_pairs(teams, [str(number) for number in range(40)]) == []


def test_perfect_predictions_not_named() -> None:
    assert similar_pairs([predicting({}), predicting({})], ["x", "y"]) == []


def test_equal_numbers_found() -> None:
    random = np.random.default_rng(2)
    dice = random.random(60)
    other = dice.copy()
    other[:3] += 0.01
    (found,) = similar_pairs([numbers(dice), numbers(other), numbers(random.random(60))], ["x", "y", "z"])
    assert (found.a, found.b, found.equal, found.shared, found.chance) == (0, 1, 57, 57, None)


def test_trivial_numbers_not_named() -> None:
    assert similar_pairs([numbers(np.ones(60)), numbers(np.ones(60))], ["x", "y"]) == []


def test_other_cases_refused() -> None:
    short = Cases(("a",), ("a",), ("a",))
    with pytest.raises(ValueError, match="different cases"):
        similar_pairs([predicting({}), short], ["x", "y"])
