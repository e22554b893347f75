"""A leaderboard as JSON and as CSV. Numbers are not rounded, and every column has the same name in both."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from django.conf import settings
from django.urls import reverse

from palio.core.leaderboard.ranking import Row
from palio.web.http.csv_cells import csv_blocks
from palio.web.leaderboard.leaderboard import Leaderboard
from palio.web.leaderboard.statistics import Statistics
from palio.web.leaderboard.visibility import Visibility


def receipt_address(row: Row) -> str:
    """For organizers. Empty if there is no receipt, as of a submission of an earlier version of Palio."""
    if not (settings.FOLDERS.runs / row.entry.attempt / "receipt.json").is_file():
        return ""
    return reverse("pages:submission-receipt", kwargs={"submission": row.entry.label})


def json_rows(leaderboard: Leaderboard, statistics: Statistics) -> Iterator[str]:
    """One JSON object for each row. Only organizers and a team that sees only its own row learn of submissions."""
    keys = [column.key for column in leaderboard.columns]
    for row in leaderboard.rows:
        attempt, ranked = row.entry.attempt, row.rank is not None
        known = statistics.intervals.get(attempt, {}) if ranked else {}
        intervals = {key: known[key] for key in keys if key in known}
        content: dict[str, object] = {
            "rank": row.rank,
            "rank_range": statistics.ranges.get(attempt) if ranked else None,
            "team": row.name,
            "affiliation": leaderboard.affiliation_of(row),
            "baseline": row.entry.baseline,
            "scores": row.values,
            "interval": intervals.get(leaderboard.primary.key),
            "intervals": intervals,
            "ranks": row.ranks,
            "entries": row.entries,
            "failed": leaderboard.failed_of(row),
            "last": row.last.isoformat(),
            "movement": leaderboard.movements.get(row.entry.label),
        }
        if leaderboard.questions:
            content["answers"] = leaderboard.answers.get(row.entry.label, {})
        if leaderboard.visibility is not Visibility.PUBLIC:
            content |= {"submission": row.entry.label, "attempt": attempt, "disqualified": row.entry.disqualified}
        if leaderboard.visibility is Visibility.ALL:
            content["receipt"] = receipt_address(row) or None
        yield json.dumps(content, ensure_ascii=False)


def csv_text(
    leaderboard: Leaderboard,
    statistics: Statistics,
    order: Iterable[int],
    receipt: Callable[[Row], str] | None = None,
) -> bytes:
    """The rows in this order, by their positions. `receipt` returns the address of a row's receipt, or nothing."""
    keys, primary = [column.key for column in leaderboard.columns], leaderboard.primary.key
    others = [key for key in keys_with_intervals(leaderboard, statistics) if key != primary]
    header = ["rank", "rank_first", "rank_last", "team", "baseline", *keys]
    header += ["interval_low", "interval_high", "entries", "last", *(f"rank_{key}" for key in keys)]
    header += ["failed", "movement"]
    header += [f"answer_{question.key}" for question in leaderboard.questions]
    header += [*interval_names(others), "affiliation", *["receipt"] * bool(receipt)]
    rows = (
        _csv_row(row, statistics, keys, primary)
        + _activity(row, leaderboard)
        + _answers(row, leaderboard)
        + [*interval_ends(row, statistics, others), leaderboard.affiliation_of(row)]
        + ([receipt(row) or None] if receipt else [])
        for row in (leaderboard.rows[place] for place in order)
    )
    return b"".join(csv_blocks(header, rows))


def _activity(row: Row, leaderboard: Leaderboard) -> list[object]:
    return [leaderboard.failed_of(row), leaderboard.movements.get(row.entry.label)]


def _answers(row: Row, leaderboard: Leaderboard) -> list[object]:
    answers = leaderboard.answers.get(row.entry.label, {})
    return [answers.get(question.key) for question in leaderboard.questions]


def keys_with_intervals(leaderboard: Leaderboard, statistics: Statistics) -> list[str]:
    """The columns in which any row has an interval."""
    known = {key for of in statistics.intervals.values() for key in of}
    return [column.key for column in leaderboard.columns if column.key in known]


def interval_names(keys: Sequence[str]) -> list[str]:
    """The names of the columns of `interval_ends`."""
    return [f"interval_{end}_{key}" for key in keys for end in ("low", "high")]


def interval_ends(row: Row, statistics: Statistics, keys: Sequence[str]) -> list[object]:
    """Both ends of the intervals of these columns."""
    known = statistics.intervals.get(row.entry.attempt, {}) if row.rank is not None else {}
    return [end for key in keys for end in known.get(key, (None, None))]


def _csv_row(row: Row, statistics: Statistics, keys: Sequence[str], primary: str) -> list[object]:
    attempt, nothing = row.entry.attempt if row.rank is not None else "", (None, None)
    return [
        row.rank,
        *statistics.ranges.get(attempt, nothing),
        row.name,
        row.entry.baseline,
        *(row.values.get(key) for key in keys),
        *interval_ends(row, statistics, [primary]),
        row.entries,
        row.last.isoformat(),
        *(row.ranks.get(key) for key in keys),
    ]
