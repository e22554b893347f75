"""Stored summaries of single cases: the controller computes them (controller.case_summaries), the web reads them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from palio.core.bundle.model import Column, Phase
from palio.web.leaderboard.statistics import task_indexes
from palio.web.leaderboard.visibility import hides_scores
from palio.web.models import CaseSummary

_AT_A_TIME = 500  # SQLite limits the number of values in a query
VERSION = 1  # of what is stored and how it is computed


def summary_settings(phase: Phase, primary: Column) -> str:
    """The digest of what a summary depends on, beside the attempt."""
    policy = phase.rules.statistics
    of = [VERSION, policy and asdict(policy), primary.key, primary.descending, primary.precision, task_indexes(phase)]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()


def read_summary(attempt: str, phase: Phase, primary: Column) -> dict[str, Any] | None:
    """What is stored and still holds; None if it is missing or could not be computed."""
    stored = CaseSummary.objects.filter(attempt=attempt, settings=summary_settings(phase, primary)).first()
    return stored.summary if stored and "reason" not in stored.summary else None


def read_groups(attempts: Sequence[str], phase: Phase, primary: Column) -> dict[str, dict[str, Any]]:
    """By attempt, then by column and value of a group, the score within it and its interval."""
    settings, found = summary_settings(phase, primary), dict[str, dict[str, Any]]()
    for start in range(0, len(attempts), _AT_A_TIME):
        some = CaseSummary.objects.filter(attempt__in=attempts[start : start + _AT_A_TIME], settings=settings)
        for attempt, summary in some.values_list("attempt_id", "summary"):
            found[attempt] = summary.get("groups") or {}
    return found


def shows_cases(phase: Phase) -> bool:
    """Whether participants may know more of single cases than the score: the same rule as for the report."""
    hidden = hides_scores(phase) or phase.hide_output or phase.hide_score_output
    return phase.rules.feedback.is_exact and not hidden
