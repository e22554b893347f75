"""The stored statistics of a leaderboard: the controller computes them (controller.statistics), the web reads them.

Statistics are shown only for what they were computed for. An interval belongs to one attempt, its score and the
challenge's settings; rank ranges belong to all ranked attempts together.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from palio.core.bundle.case_metrics import interval_methods, measured_columns
from palio.core.bundle.feedback import shown_interval
from palio.core.bundle.model import Column, FeedbackPolicy, Leaderboard, Phase, StatisticsPolicy
from palio.core.leaderboard.rank_details import RankDetails
from palio.core.leaderboard.ranking import Entry, Row
from palio.core.sentences import Sentence
from palio.web.leaderboard.visibility import shown_columns
from palio.web.models import Challenge, LeaderboardStatistics

VERSION = 4  # of what is stored and how it is computed; another one is computed again


@dataclass(frozen=True)
class Statistics:
    """By attempt, and intervals then by the key of their column. `methods` are the names of theirs.

    `no_ranges` is a sentence that says why there are no rank ranges, if that is final. `no_intervals` is a clause that
    says why most rows have no interval of the primary score; only for organizers, as it may quote a row of a file.
    """

    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    no_ranges: str = ""
    cases: int | None = None
    methods: tuple[str, ...] = ()
    no_intervals: str = ""
    is_pending: bool = False  # the controller has not computed some intervals yet

    def interval(self, attempt: str, column: Column) -> tuple[float, float] | None:
        return self.intervals.get(attempt, {}).get(column.key)

    def compared_range(self, attempt: str, primary: Column) -> tuple[int, int] | None:
        """The rank range; None also for an attempt without cases, which was compared with none."""
        return self.ranges.get(attempt) if self.interval(attempt, primary) else None


def read_statistics(
    challenge: Challenge, phase: Phase, board: Leaderboard, rows: Sequence[Row], records: Sequence[Entry] = ()
) -> Statistics:
    """What is stored and still holds. `rows` are those of the whole leaderboard, `records` its best ones over time."""
    primary = board.primary
    policy, scores = phase.rules.statistics, ranked_scores(rows, primary)
    if policy is None or not scores:
        return Statistics()
    measured = measured_columns(policy, shown_columns(board, phase), primary)
    of = {"challenge": challenge, "phase": phase.name, "leaderboard": board.key}
    stored = LeaderboardStatistics.objects.filter(**of).defer("details").first()
    if stored is None or stored.settings != settings_digest(policy, measured, primary, task_indexes(phase)):
        return Statistics(is_pending=True)
    intervals, reasons, is_pending = dict[str, dict[str, tuple[float, float]]](), Counter[str](), False
    for attempt, own in measured_scores(rows, measured).items():
        intervals[attempt] = {}
        for key, score in own.items():
            found = stored.intervals.get(attempt, {}).get(key)
            if found is None or found["score"] != score:
                is_pending = True
            elif "low" in found:
                intervals[attempt][key] = (found["low"], found["high"])
            elif key == primary.key:
                reasons[found["reason"]] += 1
    for attempt, score in record_scores(records, primary).items():
        found = stored.intervals.get(attempt, {}).get(primary.key)
        if attempt not in intervals and found and found["score"] == score and "low" in found:
            intervals[attempt] = {primary.key: (found["low"], found["high"])}
    known = {key for own in intervals.values() for key in own}
    shown = [column for column in measured if column.key in known]
    methods = interval_methods(policy, shown, primary, len(phase.tasks))
    (reason, _), *_ = reasons.most_common(1) or [("", 0)]
    partial = Statistics(intervals, methods=methods, no_intervals=reason, is_pending=is_pending)
    if stored.ranked != ranking_digest(stored.settings, scores):
        return partial
    ranges = {attempt: (first, last) for attempt, (first, last) in stored.ranges.items()}
    return replace(partial, ranges=ranges, no_ranges=stored.no_ranges, cases=stored.cases)


def read_details(challenge: Challenge, phase: Phase, board: Leaderboard, rows: Sequence[Row]) -> RankDetails | None:
    """How robust the order is, if that is known of exactly these rows, which are those of the whole leaderboard."""
    policy, primary, scores = phase.rules.statistics, board.primary, ranked_scores(rows, board.primary)
    if policy is None or not scores:
        return None
    stored = LeaderboardStatistics.objects.filter(challenge=challenge, phase=phase.name, leaderboard=board.key).first()
    measured = measured_columns(policy, shown_columns(board, phase), primary)
    settings = settings_digest(policy, measured, primary, task_indexes(phase))
    if stored is None or not stored.details or stored.ranked != ranking_digest(settings, scores):
        return None
    return RankDetails.from_json(stored.details)


def for_participants(exact: Statistics, rows: Sequence[Row], policy: FeedbackPolicy) -> Statistics:
    """What participants may read of the statistics, under a rule that is not exact. `rows` are those they see.

    A row may stand for another submission than the exact one, whose interval is then unknown.
    """
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    for row in rows:
        known = exact.intervals.get(row.entry.attempt, {})
        shown = {key: shown_interval(known[key], policy) for key in row.values if key in known}
        intervals[row.entry.attempt] = {key: ends for key, ends in shown.items() if ends}
    has_some = any(intervals.values())
    return Statistics(
        intervals=intervals,
        no_ranges=Sentence("Rank ranges are not shown, because they would tell more than the scores shown here."),
        methods=exact.methods if has_some else (),
    )


def measured_scores(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, dict[str, float]]:
    """For each ranked attempt its scores in these columns."""
    return {
        row.entry.attempt: {column.key: row.values[column.key] for column in columns if column.key in row.values}
        for row in rows
        if row.rank
    }


def record_scores(records: Sequence[Entry], primary: Column) -> dict[str, float]:
    """The primary scores of those that were best at their time, by attempt."""
    return {entry.attempt: entry.scores[primary.key] for entry in records}


def ranked_scores(rows: Sequence[Row], primary: Column) -> dict[str, float]:
    """The primary score of every ranked attempt, best first. A hidden primary column is in no row."""
    return {row.entry.attempt: row.values[primary.key] for row in rows if row.rank and primary.key in row.values}


def task_indexes(phase: Phase) -> tuple[int, ...]:
    """Of the phase's tasks if it has several, each with single cases of its own."""
    return tuple(task.index for task in phase.tasks) if len(phase.tasks) > 1 else ()


def settings_digest(policy: StatisticsPolicy, columns: Sequence[Column], primary: Column, tasks: Sequence[int]) -> str:
    of_columns = [[column.key, column.precision] for column in columns]
    return _digest([VERSION, asdict(policy), of_columns, primary.key, primary.descending, [*tasks]])


def ranking_digest(settings: str, scores: Mapping[str, float]) -> str:
    return _digest([settings, [*scores.items()]])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
