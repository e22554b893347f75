"""Statistics of a leaderboard, from the single cases behind its scores: intervals, comparisons and rank ranges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from palio.core.statistics.cases import Answers, Compared, SingleCases, compared
from palio.core.statistics.comparisons import Comparison, holm, only_right
from palio.core.statistics.intervals import Interval
from palio.core.statistics.methods import Method
from palio.core.statistics.ranks import rank_frequencies, rank_ranges


@dataclass(frozen=True)
class RankStatistics:
    """For M scores, best first. What the cases do not allow is None or empty, and `reason` says why."""

    comparisons: tuple[Comparison, ...] = ()  # submissions are numbered from 0, best first
    ranges: tuple[tuple[int, int], ...] | None = None
    frequencies: tuple[tuple[float, ...], ...] | None = None  # row i: how often i takes rank 1, 2, ... M
    cases: int | None = None  # on which they were compared
    reason: str = ""
    test: str = ""  # by which they were compared


def score_value(tasks: Sequence[SingleCases], method: Method) -> float:
    """One submission's metric, or its mean over several tasks. Raises ValueError with a clause if it has none."""
    return float(np.mean([method.values(compared([cases]))[0] for cases in tasks]))


def score_interval(tasks: Sequence[SingleCases], method: Method) -> Interval:
    """The interval of that value. Other submissions do not matter. Raises ValueError with a clause if it has none."""
    return method.interval([compared([cases]) for cases in tasks])


def rank_statistics(
    scores: Sequence[float],
    cases: Sequence[Sequence[SingleCases] | None],
    method: Method | None,
    *,
    descending: bool = True,
    frequencies: bool = False,
) -> RankStatistics:
    """Compares all submissions with each other. `scores` are the metric's own values. `cases` are those of each task,
    for each submission.

    A submission without cases is compared with none, which can only widen ranges; frequencies need the cases of all.
    If submissions were scored on different cases, nothing is compared.
    """
    known = [place for place, found in enumerate(cases) if found is not None]
    if method is None or len(known) < 2:
        return RankStatistics(reason="Fewer than two submissions have single cases to compare.")
    try:
        tasks = [compared(one) for one in zip(*filter(None, cases), strict=True)]
    except ValueError:
        return RankStatistics(reason="The submissions were scored on different cases and cannot be compared.")
    try:
        pairs = compare_all(tasks, method)
    except ValueError as error:
        return RankStatistics(reason=f"The submissions cannot be compared: {error}.")
    comparisons = tuple(replace(pair, a=known[pair.a], b=known[pair.b]) for pair in pairs)
    redrawn = None
    if frequencies and len(known) == len(scores):
        shares = rank_frequencies(tasks, method, descending=descending)
        redrawn = tuple(tuple(map(float, row)) for row in shares)
    better_first = scores if descending else [-score for score in scores]
    return RankStatistics(
        comparisons=comparisons,
        ranges=tuple(rank_ranges(better_first, comparisons)),
        frequencies=redrawn,
        cases=sum(task.cases for task in tasks),
        test=method.test(len(tasks)),
    )


def compare_all(tasks: Sequence[Compared], method: Method) -> tuple[Comparison, ...]:
    """Compares every pair by the mean of the metric over the tasks, usually one."""
    first = tasks[0]
    pairs = [*combinations(range(len(first.predictions if isinstance(first, Answers) else first.values)), 2)]
    answers = [task for task in tasks if isinstance(task, Answers)]
    counts = only_right(answers, pairs) if answers else [(None, None)] * len(pairs)
    p_values = method.p_values(tasks, pairs)
    rows = zip(pairs, counts, p_values, holm(p_values), strict=True)
    return tuple(Comparison(*pair, *only, p_value, adjusted) for pair, only, p_value, adjusted in rows)
