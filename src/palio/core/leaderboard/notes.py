"""The notes below a leaderboard of run folders: what its order means, and what it does not."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from palio.core.bundle.model import Column
from palio.core.errors import counted
from palio.core.leaderboard.comparison_texts import percent
from palio.core.leaderboard.from_runs import RankedRun, RunLeaderboard
from palio.core.leaderboard.standing import standing, worth_text
from palio.core.statistics.comparisons import Comparison, chance_reversed
from palio.core.statistics.ranks import REDRAWS, SIGNIFICANT
from palio.core.statistics.summary import NOTHING_TO_COMPARE


def notes(leaderboard: RunLeaderboard) -> list[str]:
    """Whole sentences, the most important first."""
    missing = (_missing(leaderboard, column) for column in leaderboard.columns)
    return [*_comparisons(leaderboard), *_ties(leaderboard.ranked), *(each for of in missing for each in of)]


def _comparisons(leaderboard: RunLeaderboard) -> list[str]:
    ranked, statistics = leaderboard.ranked, leaderboard.statistics
    if len(ranked) == 1:
        return ["Only one run has a score, so there is nothing to compare it with."]
    if not statistics.comparisons:
        said = ["The runs could not be compared with each other, so their order may be chance."]
        return said if statistics.reason == NOTHING_TO_COMPARE else [*said, statistics.reason]
    pairs = {(pair.a, pair.b): pair for pair in statistics.comparisons}
    policy, tasks = leaderboard.lock.statistics, len(leaderboard.lock.tasks) or 1
    compared = [run.rank_range if leaderboard.primary.key in run.intervals else None for run in ranked]
    found = standing(compared, statistics.cases)
    found += filter(None, [worth_text(policy, leaderboard.primary, statistics.cases, tasks)])
    found.append(_neighbors(leaderboard, pairs))
    if statistics.ranges and any(first != last for first, last in statistics.ranges):
        found.append(f"A rank range lists the ranks that {counted(statistics.cases or 0, 'case')} cannot tell apart.")
    has_one_task = not leaderboard.lock.tasks  # else the counts of cases do not tell the order
    if has_one_task and (first_two := pairs.get((0, 1))) and ranked[0].row.rank != ranked[1].row.rank:
        found += _order_of_first_two(ranked, first_two)
    if statistics.frequencies is not None and ranked[0].row.rank != ranked[1].row.rank:
        often = percent(float(statistics.frequencies[0][0]))
        found.append(
            f"If the cases were drawn again, {ranked[0].row.name} would rank first, by itself or tied, in {often} of "
            f"{REDRAWS:,} redraws."
        )
    return found


def _neighbors(leaderboard: RunLeaderboard, pairs: dict[tuple[int, int], Comparison]) -> str:
    ranked = leaderboard.ranked
    method = f"({leaderboard.statistics.test}, Holm over {counted(len(pairs), 'pair')}, {SIGNIFICANT:.0%})".replace(
        "%", " %"
    )
    neighbors = [pairs[pair] for pair in pairwise(range(len(ranked))) if pair in pairs]
    differing = [f"{ranked[pair.a].row.name} and {ranked[pair.b].row.name}" for pair in neighbors if _differ(pair)]
    if not neighbors:
        return f"No two neighboring runs could be compared {method}."
    if not differing:
        return f"No two neighboring runs differ significantly {method}."
    differ = "differ" if len(differing) > 1 else "differs"
    of = f"{len(differing)} of {counted(len(neighbors), 'neighboring pair')} {differ} significantly"
    return f"{of} {method}: {'; '.join(differing)}."


def _differ(pair: Comparison) -> bool:
    return pair.adjusted < SIGNIFICANT


def _order_of_first_two(ranked: Sequence[RankedRun], pair: Comparison) -> list[str]:
    if pair.only_a is None or pair.only_b is None:
        return []
    ahead, behind = ranked[0].row.name, ranked[1].row.name
    chance = percent(chance_reversed(pair.only_a, pair.only_b))
    return [
        f"{ahead} is right on {counted(pair.only_a, 'case')} where {behind} is wrong, and {behind} on {pair.only_b:,} "
        f"where {ahead} is wrong: the chance that these two are in the wrong order is {chance}."
    ]


def _ties(ranked: Sequence[RankedRun]) -> list[str]:
    groups = [(rank, [run.row.name for run in tied]) for rank, tied in groupby(ranked, key=lambda run: run.row.rank)]
    return [f"{listed(tied)} have equal scores and share rank {rank}." for rank, tied in groups if len(tied) > 1]


def _missing(leaderboard: RunLeaderboard, column: Column) -> list[str]:
    ranked, reasons = leaderboard.ranked, dict[str, list[str]]()
    for run in ranked:
        if reason := run.no_intervals.get(column.key):
            reasons.setdefault(reason, []).append(run.row.name)
    of = "" if column == leaderboard.primary else f" of {column.title}"
    return [
        f"No intervals{of}: {reason}."
        if len(names) == len(ranked)
        else f"No interval{of} for {listed(names)}: {reason}."
        for reason, names in reasons.items()
    ]


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
