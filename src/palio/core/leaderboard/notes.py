"""The sentences that stand beside a board, so that nobody reads more from the order than it says."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from palio.core.errors import counted
from palio.core.leaderboard.from_runs import Place, Standings
from palio.core.statistics.comparisons import Comparison, chance_reversed
from palio.core.statistics.metrics import MEANS_OVER_CASES
from palio.core.statistics.ranks import REDRAWS, SIGNIFICANT


def remarks(standings: Standings) -> list[str]:
    """Whole sentences, the most important first."""
    return [*_certainty(standings), *_ties(standings.places), *_missing(standings.places)]


def _certainty(standings: Standings) -> list[str]:
    places, certain = standings.places, standings.certainty
    if len(places) == 1:
        return ["Only one run has a score, so there is nothing to compare it with."]
    if not certain.comparisons:
        return ["The runs could not be compared with each other, so the order may be chance."]
    pairs = {(pair.a, pair.b): pair for pair in certain.comparisons}
    said = [_neighbours(standings, pairs)]
    if certain.ranges and any(first != last for first, last in certain.ranges):
        said.append(f"A rank is a range: {counted(certain.cases or 0, 'case')} cannot tell the places inside it apart.")
    if (first_two := pairs.get((0, 1))) and places[0].rank != places[1].rank:
        said.append(_order_of_first_two(places, first_two))
    if certain.frequencies:
        often = percent(certain.frequencies[0][0])
        said.append(
            f"If the cases were drawn anew, {places[0].label} would stand first, alone or with others, in {often} of "
            f"{REDRAWS:,} redraws."
        )
    return said


def _neighbours(standings: Standings, pairs: dict[tuple[int, int], Comparison]) -> str:
    places = standings.places
    metric = standings.lock.statistics.metric if standings.lock.statistics else ""
    test = "exact McNemar" if metric in MEANS_OVER_CASES else "paired permutation"
    method = f"({test}, Holm over {counted(len(pairs), 'pair')}, {SIGNIFICANT:.0%})".replace("%", " %")
    neighbours = [pairs[pair] for pair in pairwise(range(len(places))) if pair in pairs]
    differing = [f"{places[pair.a].label} and {places[pair.b].label}" for pair in neighbours if _significant(pair)]
    if not neighbours:
        return f"No two neighbours on this board could be compared {method}."
    if not differing:
        return f"No two neighbours on this board differ significantly {method}."
    differ = "differ" if len(differing) > 1 else "differs"
    of = f"{len(differing)} of {counted(len(neighbours), 'pair')} of neighbours {differ} significantly"
    return f"{of} {method}: {'; '.join(differing)}."


def _significant(pair: Comparison) -> bool:
    return pair.adjusted < SIGNIFICANT


def _order_of_first_two(places: Sequence[Place], pair: Comparison) -> str:
    ahead, behind = places[0].label, places[1].label
    chance = percent(chance_reversed(pair.only_a, pair.only_b))
    return (
        f"{ahead} alone has {counted(pair.only_a, 'case')} right and {behind} alone {pair.only_b:,}: by that count the "
        f"chance that these two stand in the wrong order is {chance}."
    )


def _ties(places: Sequence[Place]) -> list[str]:
    groups = [(rank, [place.label for place in tied]) for rank, tied in groupby(places, key=lambda place: place.rank)]
    return [f"{listed(tied)} have equal scores and share place {rank}." for rank, tied in groups if len(tied) > 1]


def _missing(places: Sequence[Place]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for place in places:
        if place.no_interval:
            reasons.setdefault(place.no_interval, []).append(place.label)
    return [
        f"No intervals: {reason}." if len(labels) == len(places) else f"No interval for {listed(labels)}: {reason}."
        for reason, labels in reasons.items()
    ]


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def percent(share: float) -> str:
    """`31 %`, and never a plain 0 or 100 for what is neither."""
    if 0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1:
        return "more than 99 %"
    return f"{share:.0%}".replace("%", " %")
