"""How robust a leaderboard's order is, as it is stored and shown. Free of numpy, so that a page reads it at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.core.statistics.summary import RankStatistics


@dataclass(frozen=True)
class RankDetails:
    """Of M submissions, best first, known by `labels`.

    `counts[i]` is the best rank that submission i has in any redraw, and in how many redraws it has this rank, the next
    and so on. `better[i]` are the places of the submissions that i is significantly better
    than. `reversals[i]` is the chance that submission i + 1 is better than i. `ranks_by_case` are those by the mean of
    the ranks in each case, and `tau` is how far they agree with the ranks shown.
    """

    labels: tuple[str, ...]
    draws: int
    counts: tuple[tuple[int, ...], ...]
    better: tuple[tuple[int, ...], ...]
    reversals: tuple[float, ...]
    test: str
    ranks_by_case: tuple[int, ...] | None = None
    tau: float | None = None

    def frequency(self, place: int, rank: int) -> float:
        """The share of redraws in which the submission at this place has this rank."""
        first, *counts = self.counts[place]
        return counts[rank - first] / self.draws if 0 <= rank - first < len(counts) else 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "RankDetails":
        given = {name: _tuples(value) for name, value in stored.items()}
        return cls(**given)


def rank_details(
    labels: Sequence[str], scores: Sequence[float], found: "RankStatistics", by_case: Sequence[int] | None, draws: int
) -> RankDetails | None:
    """None without rank frequencies, which need the cases of all submissions. Better scores are higher."""
    from palio.core.statistics.agreement import kendall_tau  # numpy takes a while
    from palio.core.statistics.ranks import SIGNIFICANT

    if found.frequencies is None or found.pairs is None:
        return None
    counts = []
    for row in (found.frequencies * draws).round().astype(int):
        (ranks,) = row.nonzero()
        counts.append((int(ranks[0]) + 1, *row[ranks[0] : ranks[-1] + 1].tolist()))
    better: list[list[int]] = [[] for _ in labels]
    differing = found.pairs.adjusted < SIGNIFICANT
    for a, b in zip(found.pairs.a[differing].tolist(), found.pairs.b[differing].tolist(), strict=True):
        if scores[a] != scores[b]:
            ahead, behind = (a, b) if scores[a] > scores[b] else (b, a)
            better[ahead].append(behind)
    return RankDetails(
        labels=tuple(labels),
        draws=draws,
        counts=tuple(counts),
        better=tuple(tuple(sorted(places)) for places in better),
        reversals=tuple(chance for chance in found.reversals if chance is not None),
        test=found.test,
        ranks_by_case=tuple(by_case) if by_case else None,
        tau=kendall_tau([-score for score in scores], by_case) if by_case else None,
    )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
