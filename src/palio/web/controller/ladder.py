"""Keeps the comparisons of ladders without a step complete: each scored submission with the best shown one of its team.

`StatisticsUpdate` calls `update` in its thread. Files of scoring programs are read only in child processes with limits;
an attempt whose file exceeds them, or whose cases cannot be used, gets a reason and is not shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from django.db import transaction

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Column, Phase, StatisticsPolicy
from palio.core.leaderboard.ladder import Step, improvements
from palio.core.leaderboard.ranking import Entry
from palio.web.controller.compute_statistics import ladder_comparisons
from palio.web.leaderboard.entries import read_history
from palio.web.leaderboard.ladder import ladder_settings
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.leaderboard.statistics import task_indexes
from palio.web.models import Challenge, LadderComparison
from palio.web.storage.bundles import current_bundle

_Pair: TypeAlias = tuple[str, float, str, float | None]  # attempt and score, then those of the best; "" without one

AT_A_TIME = 200  # comparisons in a child process


def update(challenge: Challenge, phase: Phase, runs: str, bounds: Bounds) -> None:
    """Computes and stores what is missing for the scores that count in a phase."""
    policy, primary = phase.rules.statistics, primary_of(current_bundle(challenge), phase)
    if not phase.rules.feedback.is_parameter_free or policy is None or policy.metric_of(primary, primary) is None:
        return
    settings, history = ladder_settings(phase, primary), read_history(challenge, phase.name)
    stored = LadderComparison.objects.filter(attempt__in=[each.attempt for each in history], settings=settings)
    known = {(row.attempt_id, row.best): row for row in stored}
    while due := _missing(history, primary, known):
        found = _comparisons(runs, due, policy, primary, task_indexes(phase), bounds)
        rows = [
            LadderComparison(attempt_id=pair[0], settings=settings, **of) for pair, of in zip(due, found, strict=True)
        ]
        with transaction.atomic():
            LadderComparison.objects.filter(attempt__in=[row.attempt_id for row in rows]).delete()
            LadderComparison.objects.bulk_create(rows)
            mark_changed(challenge)
        known |= {(row.attempt_id, row.best): row for row in rows}


def _missing(
    history: Sequence[Entry], primary: Column, known: Mapping[tuple[str, str], LadderComparison]
) -> list[_Pair]:
    """The first ones, oldest first. Of a team, they are with its best shown one so far."""
    found = list[_Pair]()

    def find(entry: Entry, best: Entry | None) -> Step | None:
        row = known.get((entry.attempt, best.attempt if best else ""))
        if row is None:
            found.append(
                (
                    entry.attempt,
                    entry.scores[primary.key],
                    *((best.attempt, best.scores[primary.key]) if best else ("", None)),
                )
            )
        return Step(row.error, 1 / row.cases) if row and row.error is not None else None

    improvements(history, primary, find)
    for entry in history:
        if entry.baseline and primary.key in entry.scores:
            find(entry, None)
    return found[:AT_A_TIME]


def _comparisons(
    runs: str, pairs: Sequence[_Pair], policy: StatisticsPolicy, primary: Column, tasks: Sequence[int], bounds: Bounds
) -> list[dict[str, Any]]:
    """All in one process; each in its own if they exceed the limits together."""
    try:
        found: list[dict[str, Any]] = call_bounded(
            ladder_comparisons, runs, pairs, asdict(policy), asdict(primary), tasks, bounds=bounds
        )
    except BoundsError as limit:
        if len(pairs) > 1:
            return [of for pair in pairs for of in _comparisons(runs, [pair], policy, primary, tasks, bounds)]
        return [{"best": pairs[0][2], "reason": f"scores/{policy.cases} exceeds the limits: {limit}"}]
    return found
