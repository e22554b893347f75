"""From entries to ranked rows: computed columns, order and ties. Everything that shows a leaderboard calls this.

Only the primary column decides a rank. Scores that are equal (to 1e-12) share the better rank, as in "1, 1, 3":
nothing breaks a tie. Tied rows are shown with the earlier one first, which says nothing about their rank. An entry
without a score in a column has no rank in it and comes last.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from palio.core.bundle.model import Column, RankingPolicy

EQUAL = 1e-12

Values: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Entry:
    """A scored submission or run. `label` is unique; `scores` are by column key.

    The entries of a `team` share one row, or have one each, as the policy says. A baseline has a row of its own, and so
    has an entry without a team. `chosen` is when the team put it on the leaderboard. `disqualified` is the reason; a
    disqualified entry has no rank.
    """

    label: str
    submitted: datetime
    scores: Values
    team: str | None = None
    attempt: str = ""
    baseline: bool = False
    disqualified: str = ""
    chosen: datetime | None = None


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard. `values` are the scores and computed columns; `ranks` are by column key, 1 is best.

    `entries` counts all entries of the row's team; `last` is when the latest of them was submitted.
    """

    entry: Entry
    rank: int | None
    values: Values
    ranks: Mapping[str, int]
    name: str
    entries: int
    last: datetime


def rank_entries(
    entries: Sequence[Entry], columns: Sequence[Column], primary: Column, policy: RankingPolicy | None = None
) -> list[Row]:
    """All rows, best first, then those without a primary score, then the disqualified entries in their given order.

    With a policy, one row for each team: its best entry, its last one with a primary score, or the one that it has
    chosen; or a row for all of its entries, or for each one that it has chosen. The best is found among all entries, so
    that it is defined for columns that depend on the others, such as a mean of ranks; the ranks shown are those among
    the chosen entries.
    """
    eligible = [entry for entry in entries if not entry.disqualified]
    if policy is not None and policy.choose == "team":
        chosen, groups = _chosen_by_teams(eligible, policy)
    elif policy is None or policy.choose == "all":
        chosen, groups = eligible, [[entry] for entry in eligible]
    else:
        groups = _by_team(eligible)
        chosen = _choose(groups, columns, primary, policy)
    rows = _rows(chosen, columns, primary, groups)
    return [*rows, *(_unranked(entry, columns) for entry in entries if entry.disqualified)]


def rank_text(rank: int | None, rank_range: tuple[int, int] | None, dash: str = "–") -> str:
    """The range of ranks, or the rank where the range is a single one or unknown; a dash without a rank."""
    if rank is None:
        return "–"
    first, last = rank_range or (rank, rank)
    return str(first) if first == last else f"{first}{dash}{last}"


def _by_team(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries that share a row."""
    groups: dict[object, list[Entry]] = {}
    for index, entry in enumerate(entries):
        key = index if entry.baseline or entry.team is None else entry.team
        if (group := groups.get(key)) is None:
            groups[key] = [entry]
        else:
            group.append(entry)
    return [*groups.values()]


def _chosen_by_teams(eligible: Sequence[Entry], policy: RankingPolicy) -> tuple[list[Entry], Sequence[Sequence[Entry]]]:
    """The entries that have a row, and for each the entries that the row stands for."""
    if policy.several:
        chosen = [entry for entry in eligible if entry.chosen or entry.baseline]
        return chosen, [[entry] for entry in chosen]
    rows = []
    for group in _by_team(eligible):
        own = [entry for entry in group if entry.chosen or entry.baseline]
        if own:
            rows.append((max(own, key=lambda entry: (entry.chosen or entry.submitted, entry.label)), group))
    return [entry for entry, _ in rows], [group for _, group in rows]


def _unranked(entry: Entry, columns: Sequence[Column]) -> Row:
    scores = {column.key: entry.scores[column.key] for column in columns if column.key in entry.scores}
    return Row(entry, None, scores, {}, entry.label, 1, entry.submitted)


def _choose(
    groups: Sequence[Sequence[Entry]], columns: Sequence[Column], primary: Column, policy: RankingPolicy
) -> list[Entry]:
    """One entry of each group."""
    if policy.choose == "best" and primary.computation is None and (best := _clearly_best(groups, primary)) is not None:
        return best
    entries = [entry for group in groups for entry in group]
    rows = _rows(entries, _needed(columns, primary), primary, [[entry] for entry in entries])
    ranks = {id(row.entry): row.rank or math.inf for row in rows}

    def best_first(entry: Entry) -> tuple[object, ...]:
        return ranks[id(entry)], entry.submitted, entry.label

    def last_first(entry: Entry) -> tuple[object, ...]:
        rank = ranks[id(entry)]
        return rank == math.inf, -entry.submitted.timestamp(), rank, entry.label

    return [min(group, key=last_first if policy.choose == "last" else best_first) for group in groups]


def _clearly_best(groups: Sequence[Sequence[Entry]], primary: Column) -> list[Entry] | None:
    """The best entry of each group by score; None if scores are so close that only ranks can tell.

    This spares ranking all entries, which are many more than teams.
    """
    sign, key, chosen = -1 if primary.descending else 1, primary.key, []
    for group in groups:
        scores = [sign * entry.scores.get(key, sign * math.inf) for entry in group]
        best = min(scores)
        if any(score != best and math.isclose(score, best, rel_tol=2 * EQUAL, abs_tol=2 * EQUAL) for score in scores):
            return None
        equal = [entry for score, entry in zip(scores, group, strict=True) if score == best]
        chosen.append(min(equal, key=lambda entry: (entry.submitted, entry.label)))
    return chosen


def _rows(
    entries: Sequence[Entry], columns: Sequence[Column], primary: Column, groups: Sequence[Sequence[Entry]]
) -> list[Row]:
    """A row for each entry; `groups` are the entries that it stands for."""
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
        Row(
            entry,
            ranks[index].get(primary.key),
            values[index],
            ranks[index],
            entry.label,
            len(group),
            max(other.submitted for other in group),
        )
        for index, (entry, group) in enumerate(zip(entries, groups, strict=True))
    ]
    return sorted(rows, key=lambda row: (row.rank or math.inf, row.entry.submitted, row.entry.label))


def _needed(columns: Sequence[Column], wanted: Column) -> list[Column]:
    """The column and every column that it is computed from."""
    keys = {wanted.key}
    for _ in columns:  # no chain of computed columns is longer
        keys.update(key for column in columns if column.key in keys for key in column.computation_keys)
    return [column for column in columns if column.key in keys]


def _in_order_of_need(columns: Sequence[Column]) -> Iterator[Column]:
    """Each column after those that it is computed from; the bundle's reader has refused circles."""
    waiting, done = list(columns), set[str]()
    while ready := [column for column in waiting if done.issuperset(column.computation_keys)]:
        yield from ready
        done.update(column.key for column in ready)
        waiting = [column for column in waiting if column.key not in done]


def _value(column: Column, scores: Values, values: Values, ranks: Mapping[str, int]) -> float | None:
    """A column's value; None if a score that it needs is missing."""
    if column.computation is None:
        return scores.get(column.key)
    parts: Mapping[str, float] = ranks if column.computation in OF_RANKS else values
    if not all(key in parts for key in column.computation_keys):
        return None
    chosen = [parts[key] for key in column.computation_keys]
    if column.computation_weights:
        return math.fsum(weight * part for weight, part in zip(column.computation_weights, chosen, strict=True))
    return COMPUTATIONS[column.computation](chosen)


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
OF_RANKS = frozenset({"avg_rank", "mrr"})  # computed from the ranks in other columns instead of the scores


def _ranks(column: Column, values: Sequence[Values]) -> dict[int, int]:
    """The rank of each entry that has a value in the column."""
    sign = -1 if column.descending else 1
    scores = {index: sign * value[column.key] for index, value in enumerate(values) if column.key in value}
    ranks: dict[int, int] = {}
    leader = math.nan  # every score of a tie equals the tie's best, so that ties form no chains
    for place, index in enumerate(sorted(scores, key=scores.__getitem__), start=1):
        if not math.isclose(scores[index], leader, rel_tol=EQUAL, abs_tol=EQUAL):
            leader, rank = scores[index], place
        ranks[index] = rank
    return ranks
