"""The stored statistics of a leaderboard: the controller computes them (controller.statistics), the web reads them.

Statistics are shown only for what they were computed for. An interval belongs to one attempt, its score and the
challenge's settings; rank ranges belong to all ranked attempts together.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from palio.core.bundle.model import Column, Leaderboard, Phase, StatisticsPolicy
from palio.core.leaderboard.ranking import Row
from palio.web.models import Challenge, LeaderboardStatistics


@dataclass(frozen=True)
class Statistics:
    """By attempt. `no_ranges` is a sentence that says why there are no rank ranges, if that is final."""

    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    no_ranges: str = ""
    cases: int | None = None


def read_statistics(challenge: Challenge, phase: Phase, board: Leaderboard, rows: Sequence[Row]) -> Statistics:
    """What is stored and still holds. `rows` are those of the whole leaderboard."""
    primary = board.primary
    policy, scores = phase.rules.statistics, ranked_scores(rows, primary)
    if policy is None or not scores:
        return Statistics()
    stored = LeaderboardStatistics.objects.filter(challenge=challenge, phase=phase.name, leaderboard=board.key).first()
    if stored is None or stored.settings != settings_digest(policy, primary, task_indexes(phase)):
        return Statistics()
    intervals = {
        attempt: (found["low"], found["high"])
        for attempt, score in scores.items()
        if (found := stored.intervals.get(attempt)) and found["score"] == score and "low" in found
    }
    if stored.ranked != ranking_digest(stored.settings, scores):
        return Statistics(intervals)
    ranges = {attempt: (first, last) for attempt, (first, last) in stored.ranges.items()}
    return Statistics(intervals, ranges, stored.no_ranges, stored.cases)


def ranked_scores(rows: Sequence[Row], primary: Column) -> dict[str, float]:
    """The primary score of every ranked attempt, best first. A hidden primary column is in no row."""
    return {row.entry.attempt: row.values[primary.key] for row in rows if row.rank and primary.key in row.values}


def task_indexes(phase: Phase) -> tuple[int, ...]:
    """Of the phase's tasks if it has several, each with single cases of its own."""
    return tuple(task.index for task in phase.tasks) if len(phase.tasks) > 1 else ()


def settings_digest(policy: StatisticsPolicy, primary: Column, tasks: Sequence[int]) -> str:
    of_tasks = [[*tasks]] if tasks else []
    return _digest([asdict(policy), primary.key, primary.precision, primary.descending, *of_tasks])


def ranking_digest(settings: str, scores: Mapping[str, float]) -> str:
    return _digest([settings, [*scores.items()]])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
