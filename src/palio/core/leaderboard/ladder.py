"""Which scores a ladder shows, and the entries that participants see under each feedback rule.

The Ladder of Blum & Hardt (2015) with a fixed step: a team's first score is shown, then each that is better than the
best shown one by more than the step, rounded to the step. The primary column decides; the other columns are shown with
it. Withdrawn, hidden and disqualified submissions are part of a team's history: else withdrawing would start it again.
Not covered: teams that conspire, each with a ladder of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from palio.core.bundle.feedback import shown_values, to_step
from palio.core.bundle.model import Column, FeedbackPolicy, FeedbackRule
from palio.core.leaderboard.ranking import Entry


def shown_entries(
    entries: Sequence[Entry], history: Iterable[Entry], primary: Column, policy: FeedbackPolicy
) -> list[Entry]:
    """The entries with the scores that participants may read; those that are not shown have none.

    `history` are all scored submissions of these teams in the phase, also withdrawn ones; only LADDER needs it.
    `primary` decides, the primary column of the phase's first leaderboard.
    """
    if policy.is_exact:
        return [*entries]
    shown = {entry.label for entry in entries}
    if policy.rule is FeedbackRule.LADDER:
        shown = improvements(history, primary, policy.step) | {each.label for each in entries if each.baseline}
    return [
        replace(entry, scores=shown_values(entry.scores, policy) if entry.label in shown else {}) for entry in entries
    ]


def improvements(history: Iterable[Entry], primary: Column, step: float) -> set[str]:
    """The labels of the submissions that a ladder shows, each team with a ladder of its own, oldest first."""
    best: dict[str | None, float] = {}
    shown, sign = set[str](), 1 if primary.descending else -1

    def by_time(entry: Entry) -> tuple[datetime, str]:
        return entry.submitted, entry.label

    for entry in sorted(history, key=by_time):
        score = entry.scores.get(primary.key)
        if score is None or entry.baseline:
            continue
        if entry.team not in best or sign * (score - best[entry.team]) > step:
            shown.add(entry.label)
            best[entry.team] = to_step(score, step)
    return shown
