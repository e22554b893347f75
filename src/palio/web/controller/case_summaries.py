"""Keeps the summaries of single cases complete: computed once, after an attempt is scored, and stored.

`StatisticsUpdate` calls `update` in its thread. Files of scoring programs are read only in child processes with limits;
an attempt whose file exceeds them gets a reason instead. Attempts of re-scores that are not applied have none.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from palio.core.bounded_call import Bounds, call_bounded
from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Phase
from palio.web.controller.attempt_calls import BoundedCall, call_for_attempts
from palio.web.controller.compute_statistics import case_summaries
from palio.web.leaderboard.case_summaries import summary_settings
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.leaderboard.statistics import task_indexes
from palio.web.models import CaseSummary, Challenge, Submission
from palio.web.storage.bundles import current_bundle

AT_A_TIME = 50  # attempts in a child process


def update(challenge: Challenge, phase: Phase, runs: str, bounds: Bounds, call: BoundedCall = call_bounded) -> None:
    """Computes and stores what is missing for the scores that count in a phase."""
    policy, primary = phase.rules.statistics, leaderboards_of(current_bundle(challenge), phase)[0].primary
    if policy is None or policy.metric_of(primary, primary) is None:
        return
    exceeds = f"scores/{policy.cases} exceeds the limits"
    settings = summary_settings(phase, primary)
    counted = Submission.objects.filter(challenge=challenge, phase=phase.name).exclude(counted=None)
    missing = counted.filter(~Q(counted__case_summary__settings=settings) | Q(counted__case_summary=None))
    rows = list(missing.order_by("-created").values_list("counted_id", "counted__scores"))
    for start in range(0, len(rows), AT_A_TIME):
        scores = {attempt: own or {} for attempt, own in rows[start : start + AT_A_TIME]}
        given = (asdict(policy), asdict(primary), task_indexes(phase))
        found = call_for_attempts(
            case_summaries,
            runs,
            scores,
            *given,
            bounds=bounds,
            exceeded=lambda _, limit: {"reason": f"{exceeds}: {limit}"},
            call=call,
        )
        _store(challenge, found, settings)


def _store(challenge: Challenge, found: Mapping[str, dict[str, Any]], settings: str) -> None:
    """A leaderboard shows the groups, so their change is a change of it."""
    with transaction.atomic():
        for attempt, summary in found.items():
            defaults = {"settings": settings, "summary": summary, "computed": timezone.now()}
            CaseSummary.objects.update_or_create(attempt_id=attempt, defaults=defaults)
        if any(summary.get("groups") for summary in found.values()):
            mark_changed(challenge)
