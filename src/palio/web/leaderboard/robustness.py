"""How robust a leaderboard's order is, for page, CSV and API: what the controller has stored, joined with names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext, gettext_noop

from palio.core.leaderboard.rank_details import RankDetails
from palio.core.leaderboard.ranking import Row
from palio.web.http.cache import cached
from palio.web.http.csv_cells import csv_blocks
from palio.web.leaderboard.leaderboard import Leaderboard
from palio.web.leaderboard.pictures import Ranked, draw
from palio.web.leaderboard.request import LeaderboardRequest
from palio.web.leaderboard.statistics import Statistics, read_details
from palio.web.leaderboard.visibility import Visibility

DRAWN = 30  # teams in a picture; the tables of numbers have all
FIRST_COLUMNS = ("team", "rank", "rank_first", "rank_last", "significantly_better_than", "chance_next_is_better")
BY_CASE_KEY, BY_CASE = "by_case", gettext_noop("Mean rank over the cases")


@dataclass(frozen=True)
class Order:
    """A ranking of the same teams: by a column, or by the mean of the ranks in each case. None: not in this one."""

    key: str
    title: str
    ranks: tuple[int | None, ...]


@dataclass(frozen=True)
class Robustness:
    """`rows` are those with a rank, best first, in the order of `details`."""

    leaderboard: Leaderboard
    rows: tuple[Row, ...]
    details: RankDetails
    ranges: Mapping[str, tuple[int, int]]
    cases: int | None

    @classmethod
    def of(cls, leaderboard: Leaderboard, details: RankDetails, statistics: Statistics) -> "Robustness":
        by_attempt = {row.entry.attempt: row for row in leaderboard.rows}
        rows = tuple(by_attempt[label] for label in details.labels)
        return cls(leaderboard, rows, details, statistics.ranges, statistics.cases)

    @cached_property
    def orders(self) -> tuple[Order, ...]:
        """That of the primary column first."""
        columns = sorted(self.leaderboard.columns, key=lambda column: column != self.leaderboard.primary)
        found = [Order(each.key, each.title, tuple(row.ranks.get(each.key) for row in self.rows)) for each in columns]
        if self.details.ranks_by_case:
            found.insert(1, Order(BY_CASE_KEY, BY_CASE, self.details.ranks_by_case))
        return tuple(order for order in found if any(order.ranks))

    @cached_property
    def taus(self) -> tuple[tuple[Order, Order, float | None], ...]:
        """Kendall's tau-b of each two orders, over the teams that both rank."""
        from palio.core.statistics.agreement import kendall_tau  # numpy takes a while

        found = []
        for one, other in combinations(self.orders, 2):
            both = [(a, b) for a, b in zip(one.ranks, other.ranks, strict=True) if a and b]
            found.append((one, other, kendall_tau([a for a, _ in both], [b for _, b in both]) if both else None))
        return tuple(found)

    @cached_property
    def pictures(self) -> Mapping[str, str]:
        """SVG by name. None are needed for a single team."""
        rows, details = self.rows[:DRAWN], self.details
        if len(self.rows) < 2:
            return {}
        last = max(row[0] + len(row) - 2 for row in details.counts[: len(rows)])
        return draw(
            Ranked(
                names=[row.name for row in rows],
                frequencies=[
                    [details.frequency(place, rank) for rank in range(1, last + 1)] for place in range(len(rows))
                ],
                better=details.better[: len(rows)],
                orders=[
                    (gettext(order.title) if order.key == BY_CASE_KEY else order.title, order.ranks[: len(rows)])
                    for order in self.orders
                ],
            )
        )

    def reversal(self, place: int) -> float | None:
        """The chance that the team below is the better one; None of the last one and where scores are equal."""
        rows, chances = self.rows, self.details.reversals
        if place + 1 >= len(rows) or not chances or rows[place].rank == rows[place + 1].rank:
            return None
        return chances[place]

    def podium(self, place: int) -> list[float]:
        return [self.details.frequency(place, rank) for rank in (1, 2, 3)]

    def csv(self) -> bytes:
        count = len(self.rows)
        others = [order for order in self.orders if order.key != self.leaderboard.primary.key]
        header = [*FIRST_COLUMNS]
        header += [f"rank_{order.key}" for order in others]
        header += [f"frequency_{rank}" for rank in range(1, count + 1)]
        return b"".join(csv_blocks(header, self._csv_rows(others)))

    def _csv_rows(self, others: Sequence[Order]) -> Iterator[Sequence[object]]:
        for place, row in enumerate(self.rows):
            frequencies = [self.details.frequency(place, rank) for rank in range(1, len(self.rows) + 1)]
            yield [
                row.name,
                row.rank,
                *self.ranges.get(row.entry.attempt, (None, None)),
                len(self.details.better[place]),
                self.reversal(place),
                *(order.ranks[place] for order in others),
                *frequencies,
            ]

    def as_json(self) -> list[dict[str, object]]:
        return [
            {
                "team": row.name,
                "rank": row.rank,
                "rank_range": self.ranges.get(row.entry.attempt),
                "better_than": [self.rows[other].name for other in self.details.better[place]],
                "chance_next_is_better": self.reversal(place),
                "ranks": {order.key: order.ranks[place] for order in self.orders},
                "first_rank": self.details.counts[place][0],
                "redraws": self.details.counts[place][1:],
            }
            for place, row in enumerate(self.rows)
        ]


def robustness(wanted: LeaderboardRequest) -> Robustness | None:
    """None if the reader may not see it, or if it is not known: no single cases, too many teams, not computed yet."""
    may_see = wanted.visibility is Visibility.PUBLIC and wanted.phase.rules.feedback.is_exact
    if wanted.visibility is not Visibility.ALL and not may_see:
        return None
    if not wanted.snapshot.leaderboard.shows_primary:
        return None
    key = f"robustness/{wanted.challenge.pk}/{wanted.phase.index}/{wanted.board.key}/{wanted.visibility}"
    key += f"/{get_language()}"  # the pictures have words
    return cached(key, wanted.snapshot.revision, lambda: _robustness(wanted))


def _robustness(wanted: LeaderboardRequest) -> Robustness | None:
    found = wanted.snapshot
    details = read_details(wanted.challenge, wanted.phase, wanted.board, found.leaderboard.rows)
    if details is None:
        return None
    return Robustness.of(found.leaderboard, details, found.statistics)
