"""Scores -> board: computed columns, order, ties.

The primary column alone decides a rank. Scores that are equal (to 1e-12) share the better one, as in "1, 1, 3":
nothing breaks a tie. Tied rows are shown with the earlier one first, which says nothing of their rank. Who has no
score in a column has no rank in it and stands last.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from palio.core.bundle.model import Column, RankingPolicy

EQUAL = 1e-12

Values: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Entry:
    """A submission that may stand on the board; without `team` it stands for itself. `scores` by column key."""

    label: str
    when: datetime
    scores: Values
    team: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of the board. `values` are the scores with the computed columns; `ranks` are by column key, 1 is best."""

    entry: Entry
    rank: int | None
    values: Values = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)


def rank_entries(
    entries: Sequence[Entry], columns: Sequence[Column], primary: Column, policy: RankingPolicy | None = None
) -> list[Row]:
    """The board, best first. With a policy, one entry of each team: its best or its last that has a primary score.

    The best is found on the board of all entries, so that it is defined for columns that depend on the others, such
    as a mean of ranks; the ranks shown are then those among the chosen.
    """
    if policy is None:
        return _rows(entries, columns, primary)
    if primary.computation is None:
        return _rows(_chosen(entries, primary, policy), columns, primary)
    rows = _rows(entries, _needed(columns, primary), primary)
    if policy.choose == "last":
        rows = sorted(rows, key=lambda row: (row.rank is not None, row.entry.when), reverse=True)
    return _rows(_first_of_each_team(row.entry for row in rows), columns, primary)


def _chosen(entries: Sequence[Entry], primary: Column, policy: RankingPolicy) -> list[Entry]:
    """One entry of each team, by a column that was handed in.

    The same as the first of each in all their rows, which are not made, as there may be many entries and few teams.
    """
    is_last = policy.choose == "last"
    if not is_last and (best := _clearly_best(entries, primary)) is not None:
        return best
    ranks = _ranks(primary, [entry.scores for entry in entries])
    chosen: dict[object, tuple[float, Entry]] = {}
    for index, entry in enumerate(entries):
        rank = ranks.get(index, math.inf)
        key = index if entry.team is None else entry.team
        found = chosen.get(key)
        if found is None or (_is_later if is_last else _is_better)(rank, entry, *found):
            chosen[key] = (rank, entry)
    return [entry for _, entry in chosen.values()]


def _clearly_best(entries: Sequence[Entry], primary: Column) -> list[Entry] | None:
    """The best of each team, where no ranks are needed to say which; None where scores of a team are nearly equal."""
    sign, primary_key = -1 if primary.descending else 1, primary.key
    best: dict[object, tuple[float, Entry]] = {}
    for index, entry in enumerate(entries):
        score = sign * entry.scores.get(primary_key, sign * math.inf)
        key = index if entry.team is None else entry.team
        found = best.get(key)
        if found is None:
            best[key] = (score, entry)
        elif score == found[0]:
            if (entry.when, entry.label) < (found[1].when, found[1].label):
                best[key] = (score, entry)
        elif math.isclose(score, found[0], rel_tol=2 * EQUAL, abs_tol=2 * EQUAL):
            return None
        elif score < found[0]:
            best[key] = (score, entry)
    return [entry for _, entry in best.values()]


def _is_better(rank: float, entry: Entry, other_rank: float, other: Entry) -> bool:
    if rank != other_rank:
        return rank < other_rank
    return (entry.when, entry.label) < (other.when, other.label)


def _is_later(rank: float, entry: Entry, other_rank: float, other: Entry) -> bool:
    """One without a score gives way, whenever it was."""
    if (rank < math.inf) != (other_rank < math.inf):
        return rank < math.inf
    if entry.when != other.when:
        return entry.when > other.when
    return (rank, entry.label) < (other_rank, other.label)


def _rows(entries: Sequence[Entry], columns: Sequence[Column], primary: Column) -> list[Row]:
    values: list[dict[str, float]] = [{} for _ in entries]
    ranks: list[dict[str, int]] = [{} for _ in entries]
    for column in _in_order_of_need(columns):
        for index, entry in enumerate(entries):
            value = _value(column, entry.scores, values[index], ranks[index])
            if value is not None:
                values[index][column.key] = value
        for index, rank in _ranks(column, values).items():
            ranks[index][column.key] = rank
    rows = [
        Row(entry, ranks[index].get(primary.key), values[index], ranks[index]) for index, entry in enumerate(entries)
    ]
    return sorted(rows, key=lambda row: (row.rank or math.inf, row.entry.when, row.entry.label))


def _needed(columns: Sequence[Column], wanted: Column) -> list[Column]:
    """The column and all that it is computed from."""
    keys = {wanted.key}
    for _ in columns:  # at most so many steps from one to what it is computed from
        keys.update(key for column in columns if column.key in keys for key in column.computation_keys)
    return [column for column in columns if column.key in keys]


def _in_order_of_need(columns: Sequence[Column]) -> Iterator[Column]:
    """Each column after those that it is computed from; none is computed from itself, which reading has checked."""
    waiting, done = list(columns), set[str]()
    while ready := [column for column in waiting if done.issuperset(column.computation_keys)]:
        yield from ready
        done.update(column.key for column in ready)
        waiting = [column for column in waiting if column.key not in done]


def _value(column: Column, scores: Values, values: Values, ranks: Mapping[str, int]) -> float | None:
    """A column's value; None where a score that it needs is missing, rather than a value made of the rest."""
    if column.computation is None:
        return scores.get(column.key)
    parts: Mapping[str, float] = ranks if column.computation in OF_RANKS else values
    if not all(key in parts for key in column.computation_keys):
        return None
    return COMPUTATIONS[column.computation]([parts[key] for key in column.computation_keys])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _mean_reciprocal(ranks: Sequence[float]) -> float:
    return _mean([1 / rank for rank in ranks])


COMPUTATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "avg": _mean,
    "sum": math.fsum,
    "min": min,
    "max": max,
    "avg_rank": _mean,
    "mrr": _mean_reciprocal,
}
OF_RANKS = frozenset({"avg_rank", "mrr"})  # computed from the ranks in other columns, not from the scores


def _ranks(column: Column, values: Sequence[Values]) -> dict[int, int]:
    """The rank of each entry that has a value in the column."""
    sign = -1 if column.descending else 1
    scores = {index: sign * value[column.key] for index, value in enumerate(values) if column.key in value}
    ranks: dict[int, int] = {}
    leader = math.nan  # whose rank is shared: all of a tie are equal to its best, so that ties form no chains
    for place, index in enumerate(sorted(scores, key=scores.__getitem__), start=1):
        if not math.isclose(scores[index], leader, rel_tol=EQUAL, abs_tol=EQUAL):
            leader, rank = scores[index], place
        ranks[index] = rank
    return ranks


def _first_of_each_team(entries: Iterable[Entry]) -> list[Entry]:
    chosen: dict[object, Entry] = {}
    for entry in entries:
        chosen.setdefault(id(entry) if entry.team is None else entry.team, entry)
    return list(chosen.values())
