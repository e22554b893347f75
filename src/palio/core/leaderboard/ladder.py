"""Which scores a ladder shows, and the entries that participants see under each feedback rule.

The Ladder of Blum & Hardt (2015): a team's first score is shown, then each that is better than the best shown one by
more than a step. The step is fixed, or the standard error of the difference on the same cases (parameter-free). The
primary column decides; the other columns are shown with it. Withdrawn, hidden and disqualified submissions are part of
a team's history: else withdrawing would start it again.
Not covered: teams that conspire, each with a ladder of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from palio.core.bundle.feedback import shown_values, to_step
from palio.core.bundle.model import Column, FeedbackPolicy, FeedbackRule
from palio.core.leaderboard.ranking import Entry

_EQUAL = 1e-9  # shown scores have as many decimals


@dataclass(frozen=True)
class Step:
    """By more than `least` must a score be better than the best shown one. It is then rounded to `unit`."""

    least: float
    unit: float


FindStep: TypeAlias = Callable[[Entry, Entry | None], Step | None]
"""The step of an entry above its team's best shown one, None for the first; None if it is unknown."""


def fixed(step: float) -> FindStep:
    return lambda entry, best: Step(step, step)  # noqa: ARG005 - the same for all


def shown_entries(
    entries: Sequence[Entry],
    history: Iterable[Entry],
    primary: Column,
    policy: FeedbackPolicy,
    find_step: FindStep | None = None,
) -> list[Entry]:
    """The entries with the scores that participants may read; those that are not shown have none.

    `history` are all scored submissions of these teams in the phase, also withdrawn ones; only LADDER needs it.
    `primary` decides, the primary column of the phase's first leaderboard. A parameter-free LADDER needs `find_step`.
    """
    if policy.rule is not FeedbackRule.LADDER:
        return [replace(entry, scores=shown_values(entry.scores, policy)) for entry in entries]
    find = find_step or fixed(policy.step)
    units = improvements(history, primary, find)
    for entry in entries:
        if entry.baseline and (step := find(entry, None)):
            units[entry.label] = step.unit
    shown = {label: replace(policy, step=unit) for label, unit in units.items()}
    return [
        replace(entry, scores=shown_values(entry.scores, shown[entry.label]) if entry.label in shown else {})
        for entry in entries
    ]


def improvements(history: Iterable[Entry], primary: Column, find_step: FindStep) -> dict[str, float]:
    """What a ladder shows, each team with a ladder of its own, oldest first: label -> the unit of its shown scores.

    A submission whose step is unknown is not shown, and the next ones are compared with the best shown before it.
    """
    best: dict[str | None, tuple[Entry, float]] = {}
    shown, sign = dict[str, float](), 1 if primary.descending else -1

    def by_time(entry: Entry) -> tuple[datetime, str]:
        return entry.submitted, entry.label

    for entry in sorted(history, key=by_time):
        score = entry.scores.get(primary.key)
        if score is None or entry.baseline:
            continue
        over, shown_score = best.get(entry.team, (None, 0.0))
        step = find_step(entry, over)
        if step and (over is None or sign * (score - shown_score) > step.least + _EQUAL):
            shown[entry.label] = step.unit
            best[entry.team] = entry, to_step(score, step.unit)
    return shown
