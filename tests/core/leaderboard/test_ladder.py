"""The Ladder: which scores it shows, and that watching them does not help to guess hidden labels."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from palio.core.bundle.model import Column, FeedbackPolicy, FeedbackRule
from palio.core.leaderboard.ladder import improvements, shown_entries
from palio.core.leaderboard.ranking import Entry

F1 = Column("f1", "F1", True, 4, False)
ERROR = Column("error", "Error", False, 4, False)
LADDER = FeedbackPolicy(FeedbackRule.LADDER, step=0.01)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def entry(label: str, minute: int, team: str = "t", **scores: float) -> Entry:
    return Entry(label, BEGIN + timedelta(minutes=minute), scores, team)


def test_first_and_improvements_shown() -> None:
    history = [
        entry("first", 0, f1=0.801),
        entry("little", 1, f1=0.809),
        entry("more", 2, f1=0.8151),
        entry("worse", 3, f1=0.7),
        entry("best", 4, f1=0.9),
    ]
    assert improvements(history, F1, 0.01) == {"first", "more", "best"}


def test_improvement_over_the_shown_score() -> None:
    """0.8049 is shown as 0.80, so 0.8101 is more than 0.01 better than what was shown."""
    assert improvements([entry("a", 0, f1=0.8049), entry("b", 1, f1=0.8101)], F1, 0.01) == {"a", "b"}
    assert improvements([entry("a", 0, f1=0.8049), entry("b", 1, f1=0.8099)], F1, 0.01) == {"a"}


def test_lower_is_better() -> None:
    history = [entry("a", 0, error=0.5), entry("b", 1, error=0.6), entry("c", 2, error=0.48)]
    assert improvements(history, ERROR, 0.01) == {"a", "c"}


def test_each_team_on_its_own_and_by_time() -> None:
    history = [entry("b2", 5, "b", f1=0.5), entry("a1", 1, "a", f1=0.9), entry("b1", 2, "b", f1=0.6)]
    assert improvements(history, F1, 0.01) == {"a1", "b1"}


def test_withdrawn_part_of_history() -> None:
    withdrawn, later = entry("w", 0, f1=0.9), entry("l", 1, f1=0.8)
    (shown,) = shown_entries([later], [withdrawn, later], F1, LADDER)
    assert shown.scores == {}


def test_entries_rounded_to_step_with_other_columns() -> None:
    entries = [entry("a", 0, f1=0.8765, seconds=3.14159), entry("b", 1, f1=0.8766, seconds=1.0)]
    assert [each.scores for each in shown_entries(entries, entries, F1, LADDER)] == [{"f1": 0.88, "seconds": 3.14}, {}]


def test_baseline_outside_of_ladder() -> None:
    baseline, own = replace(entry("base", 0, f1=0.95), baseline=True), entry("own", 1, f1=0.7)
    shown = shown_entries([baseline, own], [baseline, own], F1, LADDER)
    assert [each.scores for each in shown] == [{"f1": 0.95}, {"f1": 0.7}]


def test_guessing_attack_learns_little() -> None:
    """Blum & Hardt's boosting attack: keep the random guesses that score above chance, and take their majority."""
    random_ = random.Random(5)
    cases, tries = 200, 600
    truth = [random_.getrandbits(1) for _ in range(cases)]
    guesses = [[random_.getrandbits(1) for _ in range(cases)] for _ in range(tries)]

    def accuracy(guess: list[int]) -> float:
        return sum(a == b for a, b in zip(guess, truth, strict=True)) / cases

    def attacked(told: list[float]) -> float:
        """`told` are the scores that the attacker knows for each guess."""
        kept = [guess for guess, score in zip(guesses, told, strict=True) if score > 0.5]
        return accuracy([int(2 * sum(column) > len(kept)) for column in zip(*kept, strict=True)])

    exact = [accuracy(guess) for guess in guesses]
    entries = [entry(f"{number:03}", number, f1=score) for number, score in enumerate(exact)]
    told, best = [], 0.0
    for each in shown_entries(entries, entries, F1, replace(LADDER, step=0.05)):
        improved = each.scores.get("f1")
        best = best if improved is None else improved
        told.append(0.0 if improved is None else improved)  # without a new score, the guess was no improvement
    assert best >= max(exact) - 0.1
    assert attacked([*exact]) > 0.7
    assert attacked(told) < 0.62
