"""A leaderboard, rendered once for each revision, kind of reader and language, and cached: the only cache on the way.

docs/design-notes.md has the measurements. While a new revision is rendered, other readers get the previous one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from django.utils.html import escape
from django.utils.translation import get_language, gettext

from palio.core.bundle.model import Column, Phase
from palio.core.bundle.model import Leaderboard as BundleLeaderboard
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.ranking import Entry, Row
from palio.web.http.cache import cached, last_cached
from palio.web.leaderboard.case_summaries import read_groups, shows_cases
from palio.web.leaderboard.entries import team_names
from palio.web.leaderboard.formats import json_rows
from palio.web.leaderboard.html import rows_html
from palio.web.leaderboard.leaderboard import (
    Leaderboard,
    answer_column,
    build_leaderboard,
    by_column,
    by_scores,
    read_leaderboard,
    with_columns,
)
from palio.web.leaderboard.statistics import Statistics, for_participants, read_statistics
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Challenge, Team

MOST_ON_AXIS = 50  # rows
BY_RANK, BY_TEAM, BY_ENTRIES, BY_LAST = "rank", "team", "entries", "last"

Revision: TypeAlias = tuple[int, int]  # of the leaderboard and of the challenge; grows with every change


@dataclass(frozen=True)
class Snapshot:
    """`html` and `json` have one text for each row of `leaderboard`; `orders` are positions of rows, by sort key.

    `revision` is the one that was rendered, which may be the previous one for a moment. `entries` are all that were
    read, which spares the next snapshot most of the reading.
    """

    revision: Revision
    leaderboard: Leaderboard
    statistics: Statistics
    axis: Axis | None  # of the drawn intervals, if there are any
    orders: Mapping[str, tuple[int, ...]]
    entries: Sequence[Entry]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by attempt: see case_summaries.read_groups

    @cached_property
    def group_values(self) -> dict[str, dict[str, int]]:
        """By column of groups, then by value, the number of cases."""
        found: dict[str, dict[str, int]] = {}
        for of in self.groups.values():
            for column, values in of.items():
                for value, scored in values.items():
                    found.setdefault(column, {}).setdefault(value, scored["cases"])
        return {column: dict(sorted(values.items())) for column, values in sorted(found.items())}

    def by_group(self, column: str, value: str) -> "Snapshot":
        """The same by the primary score within a group of cases, with its intervals. It has no rank ranges."""
        key = f"group {column}\n{value}"
        if key not in self._by_column:
            within = {
                attempt: scored for attempt, of in self.groups.items() if (scored := of.get(column, {}).get(value))
            }
            board = by_scores(self.leaderboard, {attempt: scored["score"] for attempt, scored in within.items()})
            primary = board.primary.key
            intervals = {
                attempt: {primary: (scored["low"], scored["high"])}
                for attempt, scored in within.items()
                if scored["low"] is not None
            }
            statistics = Statistics(intervals, cases=self.group_values.get(column, {}).get(value))
            self._by_column[key] = replace(
                self, leaderboard=board, statistics=statistics, axis=_axis(board, statistics), orders=_orders(board)
            )
        return self._by_column[key]

    @cached_property
    def _by_column(self) -> "dict[str, Snapshot]":
        return {}

    def by_column(self, column: Column) -> "Snapshot":
        """The same in the order of another column, with its intervals drawn. It has no rank ranges."""
        if column == self.leaderboard.primary:
            return self
        if column.key not in self._by_column:
            board = by_column(self.leaderboard, column)
            statistics = replace(self.statistics, ranges={}, no_ranges="", no_intervals="")
            self._by_column[column.key] = replace(
                self, leaderboard=board, statistics=statistics, axis=_axis(board, statistics), orders=_orders(board)
            )
        return self._by_column[column.key]

    def narrowed(self, keys: Collection[str] | None, search: str) -> "Snapshot":
        """Only these columns, if not None, and only rows whose team's name contains `search`, in any case."""
        board, orders, sought = self.leaderboard, self.orders, search.strip().casefold()
        if keys is not None:
            board = with_columns(board, keys)
        if sought:
            found = {place for place, row in enumerate(board.rows) if sought in row.name.casefold()}
            orders = {key: tuple(place for place in order if place in found) for key, order in orders.items()}
        if keys is None:
            narrowed = replace(self, orders=orders)
            vars(narrowed).update(_html=self._html, json=self.json)  # the same rows
            return narrowed
        return replace(self, leaderboard=board, orders=orders)

    @property
    def html(self) -> tuple[bytes, ...]:
        """In the reader's language."""
        language = get_language() or ""
        if language not in self._html:
            rows = rows_html(self.leaderboard, self.statistics, self.axis)
            self._html[language] = tuple(row.encode() for row in rows)
        return self._html[language]

    @cached_property
    def _html(self) -> dict[str, tuple[bytes, ...]]:
        return {}

    @cached_property
    def json(self) -> tuple[str, ...]:
        return tuple(json_rows(self.leaderboard, self.statistics))

    def order(self, sort: str) -> tuple[int, ...]:
        return self.orders[self.sort_key(sort)]

    def sort_key(self, wanted: str) -> str:
        return wanted if wanted in self.orders else BY_RANK

    def rows_html(self, sort: str, own: Team | None, receipt: Callable[[Row], str] | None = None) -> bytes:
        """All rows. Those of the reader's own team are marked, which is the only difference between readers; with
        `receipt`, which returns its address or nothing, they link to it."""
        rows = [*self.html]
        for place in self._places.get(own.pk, ()) if own else ():
            rows[place] = _marked(rows[place], receipt(self.leaderboard.rows[place]) if receipt else "")
        return b"".join(rows[place] for place in self.order(sort))

    @cached_property
    def _places(self) -> dict[str | None, list[int]]:
        """The positions of each team's rows, so that a page looks only at those of its reader."""
        places: dict[str | None, list[int]] = {}
        for place, row in enumerate(self.leaderboard.rows):
            places.setdefault(row.entry.team, []).append(place)
        return places


def snapshot(
    challenge: Challenge, phase: Phase, board: BundleLeaderboard, visibility: Visibility, team: Team | None = None
) -> Snapshot:
    """The current revision, or the previous one while another thread renders the current one."""
    revision = (challenge.leaderboard_revision, challenge.current_id or 0)
    own = team if visibility is Visibility.OWN else None
    key = f"leaderboard/{challenge.pk}/{phase.index}/{board.key}/{visibility}/{own.pk if own else ''}"
    return cached(key, revision, lambda: _render(challenge, phase, board, visibility, own, revision, last_cached(key)))


def _render(
    challenge: Challenge,
    phase: Phase,
    board: BundleLeaderboard,
    visibility: Visibility,
    own: Team | None,
    revision: Revision,
    previous: Snapshot | None,
) -> Snapshot:
    known = previous.entries if previous else ()
    leaderboard, entries = read_leaderboard(challenge, phase, board, visibility, own, known)
    statistics = Statistics()
    if visibility is Visibility.ALL or (visibility is Visibility.PUBLIC and phase.rules.feedback.is_exact):
        statistics = read_statistics(challenge, phase, board, leaderboard.rows, leaderboard.records)
    elif visibility is Visibility.PUBLIC:
        exact = build_leaderboard(phase, board, entries, team_names(challenge), Visibility.ALL)
        statistics = for_participants(
            read_statistics(challenge, phase, board, exact.rows), leaderboard.rows, phase.rules.feedback
        )
    return Snapshot(
        revision=revision,
        leaderboard=leaderboard,
        statistics=statistics,
        axis=_axis(leaderboard, statistics),
        orders=_orders(leaderboard),
        entries=entries,
        groups=_groups(phase, board, leaderboard, visibility),
    )


def _groups(
    phase: Phase, board: BundleLeaderboard, leaderboard: Leaderboard, visibility: Visibility
) -> Mapping[str, Mapping[str, Any]]:
    """For those who may know more of single cases than the score."""
    may_see = visibility is Visibility.ALL or (visibility is Visibility.PUBLIC and shows_cases(phase))
    if not may_see or phase.rules.statistics is None or not leaderboard.shows_primary:
        return {}
    return read_groups([row.entry.attempt for row in leaderboard.rows if row.rank], phase, board.primary)


def _axis(leaderboard: Leaderboard, statistics: Statistics) -> Axis | None:
    """Around the intervals of the best rows: the others would squeeze those of hundreds of teams into points."""
    primary = leaderboard.primary.key
    drawn = [
        value
        for row in leaderboard.rows
        if row.rank and (interval := statistics.intervals.get(row.entry.attempt, {}).get(primary))
        for value in (row.values[primary], *interval)
    ][: 3 * MOST_ON_AXIS]
    return Axis.around(drawn) if drawn else None


def _marked(row: bytes, receipt: str) -> bytes:
    row = row.replace(b"<tr>", b'<tr class="own">', 1).replace(
        b'<tr class="group-end">', b'<tr class="own group-end">', 1
    )
    own, shown = gettext("your team"), gettext("receipt")
    link = f' <a class="small" href="{escape(receipt)}">{shown}</a>' if receipt else ""
    mark = f' <span class="badge own">{own}</span>{link}</th>'
    return row.replace(b"</th>", mark.encode(), 1)


def _orders(leaderboard: Leaderboard) -> dict[str, tuple[int, ...]]:
    """By each column, best first, and with a minus in reverse. Rows without a value come last in both."""
    rows = leaderboard.rows
    places = range(len(rows))
    orders: dict[str, tuple[int, ...]] = {}

    def add(name: str, known: Sequence[int], unknown: Sequence[int] = ()) -> None:
        orders[name] = (*known, *unknown)
        orders[f"-{name}"] = (*reversed(known), *unknown)

    ranked = [place for place in places if rows[place].rank is not None]
    add(BY_RANK, ranked, [place for place in places if rows[place].rank is None])
    add(BY_TEAM, sorted(places, key=lambda place: rows[place].name.casefold()))
    add(BY_ENTRIES, sorted(places, key=lambda place: -rows[place].entries))
    add(BY_LAST, sorted(places, key=lambda place: -rows[place].last.timestamp()))
    for column in leaderboard.columns:
        sign = -1 if column.descending else 1
        known = [place for place in places if column.key in rows[place].values]
        known.sort(key=lambda place: sign * rows[place].values[column.key])
        add(column.key, known, [place for place in places if column.key not in rows[place].values])
    for question in leaderboard.questions:
        texts = [leaderboard.answers.get(row.entry.label, {}).get(question.key) for row in rows]
        known = sorted((place for place in places if texts[place]), key=lambda place: (texts[place] or "").casefold())
        add(answer_column(question), known, [place for place in places if not texts[place]])
    return orders
