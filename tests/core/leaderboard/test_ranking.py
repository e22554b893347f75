import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from palio.core.bundle.model import Column, RankingPolicy
from palio.core.leaderboard.ranking import Entry, Row, rank_entries, rank_text

F1 = Column("f1", "F1", True, 4, False)
SECONDS = Column("seconds", "Seconds", False, 1, False)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def entry(label: str, team: str | None = None, minute: int = 0, **scores: float) -> Entry:
    return Entry(label, BEGIN + timedelta(minutes=minute), scores, team)


def computed(computation: str, *keys: str, descending: bool = True) -> Column:
    return Column(computation, computation, descending, 4, False, computation, keys)


def order(rows: list[Row]) -> list[tuple[int | None, str]]:
    return [(row.rank, row.entry.label) for row in rows]


def test_descending_order() -> None:
    entries = [entry("a", f1=0.5), entry("b", f1=0.9), entry("c", f1=-1)]
    assert order(rank_entries(entries, [F1], F1)) == [(1, "b"), (2, "a"), (3, "c")]


def test_ascending_order() -> None:
    entries = [entry("a", seconds=5), entry("b", seconds=9), entry("c", seconds=0)]
    assert order(rank_entries(entries, [SECONDS], SECONDS)) == [(1, "c"), (2, "a"), (3, "b")]


def test_ties_share_better_rank() -> None:
    entries = [entry("late", minute=2, f1=0.9), entry("early", minute=1, f1=0.9 + 5e-13), entry("last", f1=0.8)]
    assert order(rank_entries(entries, [F1], F1)) == [(1, "early"), (1, "late"), (3, "last")]


def test_ties_without_chains() -> None:
    entries = [entry("a", f1=0.5), entry("b", f1=0.5 - 8e-13), entry("c", f1=0.5 - 16e-13)]
    assert order(rank_entries(entries, [F1], F1)) == [(1, "a"), (1, "b"), (3, "c")]


def test_other_columns_break_no_tie() -> None:
    entries = [entry("slow", f1=0.9, seconds=9), entry("swift", f1=0.9, seconds=1)]
    assert order(rank_entries(entries, [F1, SECONDS], F1)) == [(1, "slow"), (1, "swift")]


def test_entry_without_score_last() -> None:
    entries = [entry("none"), entry("worst", f1=-5), entry("other", seconds=1)]
    rows = rank_entries(entries, [F1, SECONDS], F1)
    assert order(rows) == [(1, "worst"), (None, "none"), (None, "other")]
    assert rows[2].ranks == {"seconds": 1}


def test_nothing_to_rank() -> None:
    assert rank_entries([], [F1], F1) == []


@pytest.mark.parametrize(
    ("computation", "values"),
    [
        ("avg", [5.25, 2.25, 1.25]),
        ("sum", [10.5, 4.5, 2.5]),
        ("min", [0.5, 0.5, 0.5]),
        ("max", [10.0, 4.0, 2.0]),
        ("avg_rank", [2.0, 1.5, 1.0]),
        ("mrr", [(1 + 1 / 3) / 2, (1 + 1 / 2) / 2, 1.0]),
    ],
)
def test_computed_columns(computation: str, values: list[float]) -> None:
    # Ranks in f1: 1, 1, 1. Ranks in seconds, where less is better: 3, 2, 1.
    entries = [entry("a", f1=0.5, seconds=10), entry("b", f1=0.5, seconds=4), entry("c", f1=0.5, seconds=2)]
    column = computed(computation, "f1", "seconds")
    rows = rank_entries(entries, [F1, SECONDS, column], F1)
    assert [row.values[computation] for row in rows] == pytest.approx(values, abs=1e-15)


def test_computed_column_before_its_parts() -> None:
    mean_rank = computed("avg_rank", "f1", "seconds", descending=False)
    entries = [entry("a", f1=0.9, seconds=9), entry("b", f1=0.8, seconds=1), entry("c", f1=0.7, seconds=2)]
    rows = rank_entries(entries, [mean_rank, F1, SECONDS], mean_rank)
    assert order(rows) == [(1, "b"), (2, "a"), (3, "c")]
    values, ranks = {"f1": 0.8, "seconds": 1, "avg_rank": 1.5}, {"f1": 2, "seconds": 1, "avg_rank": 1}
    assert rows[0] == Row(entries[1], 1, values, ranks, name="b", entries=1, last=BEGIN)


def test_computed_column_from_computed() -> None:
    best = replace(computed("max", "avg", "f1"), key="best")
    rows = rank_entries([entry("a", f1=1, seconds=3)], [best, computed("avg", "f1", "seconds"), F1, SECONDS], F1)
    assert rows[0].values == {"f1": 1, "seconds": 3, "avg": 2.0, "best": 2.0}


def test_computed_column_missing_part() -> None:
    mean = computed("avg", "f1", "seconds")
    rows = rank_entries([entry("a", f1=0.9), entry("b", f1=0.1, seconds=1)], [F1, SECONDS, mean], mean)
    assert order(rows) == [(1, "b"), (None, "a")]


def test_best_of_each_team() -> None:
    entries = [
        entry("a1", "alice", 1, f1=0.7),
        entry("a2", "alice", 2, f1=0.9),
        entry("a3", "alice", 3, f1=0.8),
        entry("b1", "bob", 1, f1=0.85),
        entry("b2", "bob", 2),
    ]
    assert order(rank_entries(entries, [F1], F1, RankingPolicy("best", "min"))) == [(1, "a2"), (2, "b1")]


def test_equal_bests_earlier() -> None:
    entries = [entry("second", "alice", 2, f1=0.9), entry("first", "alice", 1, f1=0.9)]
    assert order(rank_entries(entries, [F1], F1, RankingPolicy("best", "min"))) == [(1, "first")]


def test_last_with_score() -> None:
    entries = [
        entry("a1", "alice", 1, f1=0.9),
        entry("a2", "alice", 2, f1=0.7),
        entry("a3", "alice", 3),
        entry("b1", "bob", 1, f1=0.8),
        entry("c1", "carol", 1),
    ]
    rows = rank_entries(entries, [F1], F1, RankingPolicy("last", "min"))
    assert order(rows) == [(1, "b1"), (2, "a2"), (None, "c1")]


def chosen(label: str, team: str, minute: int, at: int | None, f1: float) -> Entry:
    return replace(entry(label, team, minute, f1=f1), chosen=None if at is None else BEGIN + timedelta(minutes=at))


CHOICES = [
    chosen("a1", "alice", 1, 20, 0.6),
    chosen("a2", "alice", 2, 10, 0.9),
    chosen("a3", "alice", 3, None, 0.95),
    chosen("b1", "bob", 1, None, 0.8),
    replace(entry("base", "carol", 1, f1=0.7), baseline=True),
    replace(chosen("c1", "carol", 1, 5, 0.99), disqualified="copied"),
]


def test_team_chooses_its_row() -> None:
    rows = rank_entries(CHOICES, [F1], F1, RankingPolicy("team"))
    assert order(rows) == [(1, "base"), (2, "a1"), (None, "c1")]
    assert [(row.entries, row.last) for row in rows[:2]] == [
        (1, BEGIN + timedelta(minutes=1)),
        (3, BEGIN + timedelta(minutes=3)),
    ]


def test_team_chooses_several_rows() -> None:
    rows = rank_entries(CHOICES, [F1], F1, RankingPolicy("team", several=True))
    assert order(rows) == [(1, "a2"), (2, "base"), (3, "a1"), (None, "c1")]
    assert [(row.entries, row.last) for row in rows[:3:2]] == [
        (1, BEGIN + timedelta(minutes=2)),
        (1, BEGIN + timedelta(minutes=1)),
    ]


def test_all_entries_have_a_row() -> None:
    rows = rank_entries(CHOICES, [F1], F1, RankingPolicy("all"))
    assert [label for _, label in order(rows)] == ["a3", "a2", "b1", "base", "a1", "c1"]


def test_weighted_sum_of_ranks() -> None:
    column = replace(computed("avg_rank", "f1", "seconds", descending=False), computation_weights=(2.0, 1.0))
    entries = [entry("a", f1=0.9, seconds=9), entry("b", f1=0.8, seconds=1)]
    rows = rank_entries(entries, [F1, SECONDS, column], column)
    assert [(row.entry.label, row.values["avg_rank"]) for row in rows] == [("a", 4.0), ("b", 5.0)]


def test_entries_without_team() -> None:
    entries = [entry("a", f1=0.7), entry("b", f1=0.9)]
    assert order(rank_entries(entries, [F1], F1, RankingPolicy("best", "min"))) == [(1, "b"), (2, "a")]


def test_ranks_among_chosen() -> None:
    mean_rank = computed("avg_rank", "f1", descending=False)
    entries = [entry("a1", "alice", f1=0.9), entry("a2", "alice", f1=0.8), entry("b", "bob", f1=0.7)]
    rows = rank_entries(entries, [F1, mean_rank], mean_rank, RankingPolicy("best", "min"))
    assert [(row.entry.label, row.values["avg_rank"]) for row in rows] == [("a1", 1.0), ("b", 2.0)]


@pytest.mark.parametrize("choose", ["best", "last"])
def test_column_copy_chooses_same_entries(choose: str) -> None:
    """A submitted and a computed primary column take different ways through the code."""
    draw = random.Random(7)
    entries = [
        entry(f"e{number}", draw.choice("abcdefgh"), draw.randint(1, 9), **({"f1": draw.randint(0, 9)} if some else {}))
        for number, some in enumerate(draw.choices([True, True, True, False], k=300))
    ]
    same = computed("sum", "f1")
    policy = RankingPolicy(choose, "min")
    plain = rank_entries(entries, [F1, same], F1, policy)
    assert plain == [replace(row, rank=row.ranks.get("f1")) for row in rank_entries(entries, [F1, same], same, policy)]
    assert len(plain) == 8


def test_entries_counted_per_team() -> None:
    entries = [
        entry("a1", "alice", 1, f1=0.9),
        entry("a2", "alice", 3, f1=0.7),
        replace(entry("a3", "alice", 5, f1=0.95), disqualified="copied"),
        replace(entry("a4", "alice", 7, f1=0.8), baseline=True),
    ]
    rows = rank_entries(entries, [F1], F1, RankingPolicy("best", "min"))
    assert [(row.entry.label, row.rank, row.entries, (row.last - BEGIN).seconds // 60) for row in rows] == [
        ("a1", 1, 2, 3),
        ("a4", 2, 1, 7),
        ("a3", None, 1, 5),
    ]


@pytest.mark.parametrize(
    ("rank", "rank_range", "text"),
    [(None, None, "–"), (None, (1, 2), "–"), (2, None, "2"), (2, (2, 2), "2"), (2, (1, 3), "1–3")],
)
def test_rank_text(rank: int | None, rank_range: tuple[int, int] | None, text: str) -> None:
    assert rank_text(rank, rank_range) == text
