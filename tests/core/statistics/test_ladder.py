import numpy as np
import pytest

from palio.core.statistics.ladder import ladder_shows


def gains(gained: int, lost: int, same: int = 100) -> list[float]:
    return [1.0] * gained + [-1.0] * lost + [0.0] * same


@pytest.mark.parametrize(
    ("gained", "lost", "shown"),
    [
        (0, 0, False),
        (1, 0, False),
        (2, 0, True),
        (3, 1, False),
        (4, 1, True),
        (10, 5, True),
        (9, 5, True),
        (8, 5, False),
    ],
)
def test_right_and_wrong_answers_follow_mcnemar(gained: int, lost: int, shown: bool) -> None:
    assert ladder_shows(gains(gained, lost)) is shown
    assert shown is (gained + lost > 0 and (gained - lost) / (gained + lost or 1) ** 0.5 > 1)


def test_graded_cases() -> None:
    assert ladder_shows([0.1] * 4)
    assert not ladder_shows([0.1, -0.05, 0.0])


def test_a_guessing_attack_feeds_on_a_plain_board_and_starves_on_the_ladder() -> None:
    """1,000 random answers to 600 two-class cases; the attacker takes the majority of those that the board liked."""
    random = np.random.default_rng(2015)
    plain, guarded = [], []
    for _ in range(5):
        truth = random.integers(0, 2, 600)
        guesses = random.integers(0, 2, (1_000, 600))
        right = (guesses == truth).astype(float)
        plain.append(majority_is_right(guesses[right.mean(axis=1) > 0.5], truth))
        shown = [0]
        for number in range(1, len(guesses)):
            if ladder_shows((right[number] - right[shown[-1]]).tolist()):
                shown.append(number)
        guarded.append(majority_is_right(guesses[shown], truth))
    assert np.mean(plain) == pytest.approx(0.773, abs=0.02)
    assert np.mean(guarded) == pytest.approx(0.522, abs=0.03)


def majority_is_right(guesses: np.ndarray, truth: np.ndarray) -> float:
    return float(((guesses.mean(axis=0) > 0.5) == truth).mean())
