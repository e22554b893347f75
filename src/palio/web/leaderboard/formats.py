"""A leaderboard as JSON and as CSV. Numbers are not rounded, and every column has the same name in both."""

import json
from collections.abc import Iterable, Iterator, Sequence

from palio.core.leaderboard.ranking import Row
from palio.web.http.csv_cells import csv_blocks
from palio.web.leaderboard.leaderboard import Leaderboard
from palio.web.leaderboard.statistics import Statistics
from palio.web.leaderboard.visibility import Visibility


def json_rows(leaderboard: Leaderboard, statistics: Statistics) -> Iterator[str]:
    """One JSON object for each row. Only organizers and a team that sees only its own row learn of submissions."""
    for row in leaderboard.rows:
        attempt, ranked = row.entry.attempt, row.rank is not None
        content: dict[str, object] = {
            "rank": row.rank,
            "rank_range": statistics.ranges.get(attempt) if ranked else None,
            "team": row.name,
            "baseline": row.entry.baseline,
            "scores": row.values,
            "interval": statistics.intervals.get(attempt) if ranked else None,
            "ranks": row.ranks,
            "entries": row.entries,
            "last": row.last.isoformat(),
        }
        if leaderboard.questions:
            content["answers"] = leaderboard.answers.get(row.entry.label, {})
        if leaderboard.visibility is not Visibility.PUBLIC:
            content |= {"submission": row.entry.label, "attempt": attempt, "disqualified": row.entry.disqualified}
        yield json.dumps(content, ensure_ascii=False)


def csv_text(leaderboard: Leaderboard, statistics: Statistics, order: Iterable[int]) -> bytes:
    """The rows in this order, by their positions."""
    keys = [column.key for column in leaderboard.columns]
    header = ["rank", "rank_first", "rank_last", "team", "baseline", *keys]
    header += ["interval_low", "interval_high", "entries", "last", *(f"rank_{key}" for key in keys)]
    header += [f"answer_{question.key}" for question in leaderboard.questions]
    rows = (
        _csv_row(leaderboard.rows[place], statistics, keys) + _answers(leaderboard.rows[place], leaderboard)
        for place in order
    )
    return b"".join(csv_blocks(header, rows))


def _answers(row: Row, leaderboard: Leaderboard) -> list[object]:
    answers = leaderboard.answers.get(row.entry.label, {})
    return [answers.get(question.key) for question in leaderboard.questions]


def _csv_row(row: Row, statistics: Statistics, keys: Sequence[str]) -> list[object]:
    attempt, nothing = row.entry.attempt if row.rank is not None else "", (None, None)
    return [
        row.rank,
        *statistics.ranges.get(attempt, nothing),
        row.name,
        row.entry.baseline,
        *(row.values.get(key) for key in keys),
        *statistics.intervals.get(attempt, nothing),
        row.entries,
        row.last.isoformat(),
        *(row.ranks.get(key) for key in keys),
    ]
