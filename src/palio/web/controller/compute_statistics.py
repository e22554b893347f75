"""Computes statistics of a leaderboard from run folders, in a child process with limits. Free of Django."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from palio.core.bundle.model import Column, StatisticsPolicy

# For more teams, no rank ranges: comparing all pairs would take too long.
MOST_RANGED, MOST_RANGED_BY_PERMUTATION = 150, 25
_NICE = 10  # everything else on the machine goes first


def score_intervals(
    runs: str, scores: Mapping[str, float], policy: dict[str, Any], primary: dict[str, Any], tasks: Sequence[int] = ()
) -> dict[str, dict[str, object]]:
    """For each attempt, by its primary score: {score, low, high}, or {score, reason} without single cases to use.

    `tasks` are the indexes of the phase's tasks if it has several.
    """
    from palio.core.statistics.summary import score_interval

    os.nice(_NICE)
    intervals: dict[str, dict[str, object]] = {}
    for attempt, cases in _cases(runs, scores, policy, primary, tasks):
        found = {"reason": cases} if isinstance(cases, str) else vars(score_interval(cases, policy["metric"]))
        intervals[attempt] = {"score": scores[attempt], **found}
    return intervals


def rank_ranges(
    runs: str,
    scores: Mapping[str, float],
    usable: Sequence[str],
    policy: dict[str, Any],
    primary: dict[str, Any],
    tasks: Sequence[int] = (),
) -> dict[str, Any]:
    """{ranges, cases, reason} for attempts with their primary scores, best first. Only cases of `usable` are read."""
    from palio.core.statistics.comparisons import is_exact
    from palio.core.statistics.summary import RankStatistics, rank_statistics

    os.nice(_NICE)
    metric: str = policy["metric"]
    most = MOST_RANGED if is_exact(len(tasks) or 1, metric) else MOST_RANGED_BY_PERMUTATION
    if len(scores) > most:
        found = RankStatistics(reason=too_many(most))
    else:
        read = dict(_cases(runs, {attempt: scores[attempt] for attempt in usable}, policy, primary, tasks))
        cases = [None if isinstance(of := read.get(attempt), str) else of for attempt in scores]
        found = rank_statistics([*scores.values()], cases, metric)
    ranges = dict(zip(scores, found.ranges, strict=True)) if found.ranges else {}
    return {"ranges": ranges, "cases": found.cases, "reason": found.reason}


def too_many(most: int) -> str:
    return f"Rank ranges are computed for up to {most} teams."


def _cases(
    runs: str, scores: Mapping[str, float], policy: dict[str, Any], primary: dict[str, Any], tasks: Sequence[int]
) -> Iterator[tuple[str, Any]]:
    from palio.core.leaderboard.run_cases import cases_of_run  # numpy takes a while

    lists = ("computation_keys", "computation_weights")
    column = Column(**primary | {name: tuple(primary[name]) for name in lists})
    for attempt, score in scores.items():
        yield attempt, cases_of_run(Path(runs) / attempt, StatisticsPolicy(**policy), column, score, tasks)
