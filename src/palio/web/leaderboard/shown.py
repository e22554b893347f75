"""A board as it is shown: rows of HTML for the page, plain data for whoever computes; its orders; how certain it is.

Made once for each state of a board and kind of reader, and kept: it is what most people come to see, and often.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from django.conf import settings

from palio.core.bundle.model import Column, Phase
from palio.core.leaderboard.axis import Axis
from palio.web.http.cache import kept
from palio.web.http.csv_cells import cell
from palio.web.leaderboard import statistics
from palio.web.leaderboard.html import rows_html
from palio.web.leaderboard.ranked import Board, BoardRow, Sight, read_board
from palio.web.models import Challenge, Team

BY_RANK, BY_TEAM, BY_ENTRIES, BY_LAST = "rank", "team", "entries", "last"

Stamp: TypeAlias = tuple[int, int, int]  # grows with whatever changes the board


@dataclass(frozen=True)
class Shown:
    """`rows` (HTML) and `data` (JSON) are in the board's own order; `orders` are places in it, by what is sorted by.

    `teams_of` is each row's team, so that the reader's own can be marked, which no `data` names. `stamp` is that of
    the board that it was made of, which may be the one before a change of a moment ago.
    """

    stamp: Stamp
    rows: tuple[bytes, ...]
    data: tuple[str, ...]
    teams_of: tuple[str, ...]
    orders: Mapping[str, tuple[int, ...]]
    teams: int
    columns: tuple[Column, ...]
    primary: Column
    ticks: tuple[str, ...] | None  # of the strips, where there are intervals
    cases: int | None
    has_ranges: bool
    no_ranges: str

    @property
    def shows_primary(self) -> bool:
        return self.primary in self.columns

    def order(self, sort: str) -> tuple[int, ...]:
        return self.orders.get(sort, self.orders[BY_RANK])

    def sort(self, asked: str) -> str:
        """What it is sorted by, if that is asked for."""
        return asked if asked in self.orders else BY_RANK

    def html(self, sort: str, own: str | None) -> bytes:
        """All rows, the reader's own team's marked, which alone is not the same for all readers."""
        rows = (self._marked(place) if self.teams_of[place] == own else self.rows[place] for place in self.order(sort))
        return b"".join(rows)

    def _marked(self, place: int) -> bytes:
        row = self.rows[place].replace(b"<tr>", b'<tr class="own">', 1)
        return row.replace(b"</th>", b' <span class="badge own">your team</span></th>', 1)


def show(challenge: Challenge, phase: Phase, seen: Sight, team: Team | None) -> Shown:
    """The board as it is, or as it was a moment ago while that is being made."""
    stamp = (challenge.board_revision, challenge.current_id or 0, statistics.stamp(_answer_file(challenge, phase)))
    return kept(kept_key(challenge, phase, seen, team), stamp, lambda: _make(challenge, phase, seen, team, stamp))


def kept_key(challenge: Challenge, phase: Phase, seen: Sight, team: Team | None) -> str:
    """Of each kind of reader there is one board, and where each team sees its own, one of each team."""
    own = team.pk if team and seen is Sight.OWN else ""
    return f"board/{challenge.pk}/{phase.index}/{seen}/{own}"


def as_csv(shown: Shown, sort: str) -> str:
    """Whole numbers, unrounded. A cell that a spreadsheet would compute is made text."""
    file = io.StringIO()
    rows = csv.writer(file)
    keys = [column.key for column in shown.columns]
    rows.writerow(
        [
            "rank",
            "rank_first",
            "rank_last",
            "team",
            "baseline",
            *keys,
            "interval_low",
            "interval_high",
            BY_ENTRIES,
            BY_LAST,
        ]
        + [f"rank_{key}" for key in keys]
    )
    for place in shown.order(sort):
        row = json.loads(shown.data[place])
        first, last = row["rank_range"] or (None, None)
        low, high = row["interval"] or (None, None)
        name = row["team"]
        rows.writerow(
            [row["rank"], first, last, cell(name), row["baseline"]]
            + [row["scores"].get(key) for key in keys]
            + [low, high, row["entries"], row["last"]]
            + [row["ranks"].get(key) for key in keys]
        )
    return file.getvalue()


def _answer_file(challenge: Challenge, phase: Phase) -> Path:
    return statistics.answer_file(settings.FOLDERS.boards, str(challenge.pk), phase.name)


def _make(challenge: Challenge, phase: Phase, seen: Sight, team: Team | None, stamp: Stamp) -> Shown:
    board = read_board(challenge, phase, seen, team)
    answer = _certainty(challenge, phase, board)
    axis = Axis.around([end for ends in answer.intervals.values() for end in ends]) if answer.intervals else None
    return Shown(
        stamp=stamp,
        rows=tuple(row.encode() for row in rows_html(board, answer, axis)),
        data=tuple(json.dumps(_data(row, board, answer), ensure_ascii=False) for row in board.rows),
        teams_of=tuple(row.team for row in board.rows),
        orders=_orders(board),
        teams=board.teams,
        columns=board.columns,
        primary=board.primary,
        ticks=axis.ticks if axis else None,
        cases=answer.cases,
        has_ranges=bool(answer.ranges),
        no_ranges=answer.no_ranges,
    )


def _certainty(challenge: Challenge, phase: Phase, board: Board) -> statistics.Answer:
    """Of the whole board alone, and not of a hidden column: its intervals are hidden with it."""
    policy = phase.rules.statistics
    ranked = {row.attempt: row.values[board.primary.key] for row in board.rows if row.rank and board.shows_primary}
    if policy is None or not ranked or board.sight not in {Sight.ALL, Sight.PUBLIC}:
        return statistics.Answer()
    question = statistics.Question(settings.FOLDERS.runs, policy, board.primary, ranked)
    return statistics.find_answer(_answer_file(challenge, phase), question)


def _data(row: BoardRow, board: Board, answer: statistics.Answer) -> dict[str, Any]:
    data: dict[str, Any] = {
        "rank": row.rank,
        "rank_range": answer.ranges.get(row.attempt) if row.rank else None,
        "team": row.name,
        "baseline": row.baseline,
        "scores": dict(row.values),
        "interval": answer.intervals.get(row.attempt) if row.rank else None,
        "ranks": dict(row.ranks),
        "entries": row.entries,
        "last": row.last.isoformat(),
    }
    if board.sight is not Sight.PUBLIC:
        data |= {"submission": row.submission, "attempt": row.attempt, "disqualified": row.disqualified}
    return data


def _orders(board: Board) -> dict[str, tuple[int, ...]]:
    """By each column, best first, and with a minus the other way round. Who has nothing there stands last in both."""
    places = range(len(board.rows))
    orders = {BY_RANK: tuple(places)}

    def add(name: str, known: Sequence[int], unknown: Sequence[int] = ()) -> None:
        orders[name] = (*known, *unknown)
        orders[f"-{name}"] = (*reversed(known), *unknown)

    ranked = [place for place in places if board.rows[place].rank is not None]
    add(BY_RANK, ranked, [place for place in places if board.rows[place].rank is None])
    add(BY_TEAM, sorted(places, key=lambda place: board.rows[place].name.casefold()))
    add(BY_ENTRIES, sorted(places, key=lambda place: -board.rows[place].entries))
    add(BY_LAST, sorted(places, key=lambda place: -board.rows[place].last.timestamp()))
    for column in board.columns:
        sign = -1 if column.descending else 1
        known = [place for place in places if column.key in board.rows[place].values]
        known.sort(key=lambda place: sign * board.rows[place].values[column.key])
        add(column.key, known, [place for place in places if column.key not in board.rows[place].values])
    return orders
