"""The stored comparisons of a ladder without a step: the controller computes them (controller.ladder), the web reads
them. Until they are known, the ladder does not show a score."""

from palio.core.bundle.model import Column, Phase
from palio.core.leaderboard.ladder import FindStep, Step
from palio.core.leaderboard.ranking import Entry
from palio.web.leaderboard.statistics import settings_digest, task_indexes
from palio.web.models import Challenge, LadderComparison, Team


def ladder_settings(phase: Phase, primary: Column) -> str:
    """Digest of all that a comparison is computed with; empty without single cases."""
    policy = phase.rules.statistics
    return settings_digest(policy, [primary], primary, task_indexes(phase)) if policy else ""


def stored_steps(challenge: Challenge, phase: Phase, primary: Column, team: Team | None = None) -> FindStep:
    """With `team`, only that team's."""
    of = {"attempt__submission__challenge": challenge, "attempt__submission__phase": phase.name}
    found = LadderComparison.objects.filter(**of, settings=ladder_settings(phase, primary), error__isnull=False)
    found = found.filter(attempt__submission__team=team) if team else found
    known = {
        (attempt, best): Step(error or 0.0, 1 / cases)
        for attempt, best, error, cases in found.values_list("attempt_id", "best", "error", "cases")
    }

    def find(entry: Entry, best: Entry | None) -> Step | None:
        return known.get((entry.attempt, best.attempt if best else ""))

    return find
