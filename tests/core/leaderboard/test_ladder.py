"""The Ladder: which scores it shows, and that watching them does not help to guess hidden labels."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from palio.core.bundle.model import Column, FeedbackPolicy, FeedbackRule
from palio.core.leaderboard.ladder import FindStep, Step, fixed, improvements, shown_entries
from palio.core.leaderboard.ranking import Entry
from palio.core.statistics.cases import Cases
from palio.core.statistics.differences import standard_error

F1 = Column("f1", "F1", True, 4, False)
ERROR = Column("error", "Error", False, 4, False)
LADDER = FeedbackPolicy(FeedbackRule.LADDER, step=0.01)
PARAMETER_FREE = FeedbackPolicy(FeedbackRule.LADDER)
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
    assert {*improvements(history, F1, fixed(0.01))} == {"first", "more", "best"}


def test_improvement_over_the_shown_score() -> None:
    """0.8049 is shown as 0.80, so 0.8101 is more than 0.01 better than what was shown."""
    assert {*improvements([entry("a", 0, f1=0.8049), entry("b", 1, f1=0.8101)], F1, fixed(0.01))} == {"a", "b"}
    assert {*improvements([entry("a", 0, f1=0.8049), entry("b", 1, f1=0.8099)], F1, fixed(0.01))} == {"a"}


def test_lower_is_better() -> None:
    history = [entry("a", 0, error=0.5), entry("b", 1, error=0.6), entry("c", 2, error=0.48)]
    assert {*improvements(history, ERROR, fixed(0.01))} == {"a", "c"}


def test_each_team_on_its_own_and_by_time() -> None:
    history = [entry("b2", 5, "b", f1=0.5), entry("a1", 1, "a", f1=0.9), entry("b1", 2, "b", f1=0.6)]
    assert {*improvements(history, F1, fixed(0.01))} == {"a1", "b1"}


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


def test_step_of_each_comparison() -> None:
    """Without a fixed step, an entry must be better than the best shown one by more than the error of the two."""
    errors = {("b", "a"): 0.02, ("c", "a"): 0.01, ("d", "c"): 0.05}

    def find(of: Entry, best: Entry | None) -> Step | None:
        error = errors.get((of.label, best.label)) if best else 0.0
        return None if error is None else Step(error, 1 / 600)

    entries = [
        entry("a", 0, f1=0.8001, seconds=1.2345),
        entry("b", 1, f1=0.815),
        entry("c", 2, f1=0.8151),
        entry("d", 3, f1=0.86),
        entry("e", 4, f1=0.99),  # its error is unknown
    ]
    shown = shown_entries(entries, entries, F1, PARAMETER_FREE, find)
    assert [each.scores for each in shown] == [
        {"f1": 0.8, "seconds": 1.235},
        {},
        {"f1": 0.815},
        {},
        {},
    ]


def test_one_case_more_is_no_improvement() -> None:
    """One case that only the new one has right is exactly one standard error, two are more."""
    truth = ["a", "b"] * 300

    def cases(wrong: int) -> Cases:
        said = ["c"] * wrong + truth[wrong:]
        return Cases(tuple(f"{number:03}" for number in range(600)), tuple(truth), tuple(said))

    def find(of: Entry, best: Entry | None) -> Step:
        sides = [[cases(int(each.label))] for each in (of, best or of)]
        return Step(standard_error("classification", "accuracy", sides[0], sides[1]), 1 / 600)

    wrong = [74, 73, 72, 71, 70, 68]
    entries = [entry(str(each), minute, f1=1 - each / 600) for minute, each in enumerate(wrong)]
    assert {*improvements(entries, F1, find)} == {"74", "72", "70", "68"}


CASES, GUESSES = 600, 1_000


def guess(random_: random.Random) -> list[int]:
    return [random_.getrandbits(1) for _ in range(CASES)]


def accuracy(answer: list[int], truth: list[int]) -> float:
    return sum(a == b for a, b in zip(answer, truth, strict=True)) / CASES


def attacked(guesses: list[list[int]], told: Sequence[float | None], truth: list[int]) -> float:
    """Blum & Hardt's boosting attack: the majority of random guesses above chance and of the opposite of the others.

    `told` are the scores that the attacker knows of each guess; those that a ladder does not show were no improvement.
    """
    votes = [0] * CASES
    for one, score in zip(guesses, told, strict=True):
        sign = 0 if score is None else 1 if score > 0.5 else -1
        votes = [vote + sign * (2 * said - 1) for vote, said in zip(votes, one, strict=True)] if sign else votes
    return accuracy([int(vote > 0) for vote in votes], truth)


def by_standard_error(guesses: list[list[int]], truth: list[int]) -> FindStep:
    names, true = tuple(map(str, range(CASES))), tuple(map(str, truth))

    def find(of: Entry, best: Entry | None) -> Step:
        if best is None:
            return Step(0, 1 / CASES)
        a, b = ([Cases(names, true, tuple(map(str, guesses[int(each.label)])))] for each in (of, best))
        return Step(standard_error("classification", "accuracy", a, b), 1 / CASES)

    return find


@pytest.mark.parametrize("rule", ["step", "standard error"])
def test_guessing_attack_learns_little(rule: str) -> None:
    random_ = random.Random(5)
    truth = guess(random_)
    guesses = [guess(random_) for _ in range(GUESSES)]
    exact = [accuracy(one, truth) for one in guesses]
    entries = [entry(f"{number:04}", number, f1=score) for number, score in enumerate(exact)]
    if rule == "step":
        shown = shown_entries(entries, entries, F1, replace(LADDER, step=0.03))
    else:
        shown = shown_entries(entries, entries, F1, PARAMETER_FREE, by_standard_error(guesses, truth))
    told = [each.scores.get("f1") for each in shown]
    assert max(filter(None, told)) >= max(exact) - 0.05  # the leaderboard is still about right
    assert attacked(guesses, exact, truth) > 0.75
    assert attacked(guesses, told, truth) < 0.58
