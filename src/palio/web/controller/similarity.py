"""Looks for nearly equal predictions of different teams, once for each set of ranked attempts. For organizers only.

`StatisticsUpdate` calls `update` in its thread. Phases with several tasks, or
with more than `MOST_RANGED` teams, are skipped.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict

from django.utils import timezone

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.bundle.model import Column, Phase
from palio.core.leaderboard.ranking import Row
from palio.web.controller.compute_statistics import MOST_RANGED, similar_predictions
from palio.web.models import Challenge, SimilarityCheck

VERSION = 1  # of what is stored and how it is computed

log = logging.getLogger("palio.controller")


def update(
    challenge: Challenge, phase: Phase, primary: Column, ranked: Sequence[Row], runs: str, bounds: Bounds
) -> None:
    """`ranked` are the rows of the first leaderboard of the phase whose cases can be compared."""
    policy = phase.rules.statistics
    if policy is None or len(phase.tasks) > 1 or not 1 < len(ranked) <= MOST_RANGED:
        return
    attempts = sorted(row.entry.attempt for row in ranked)
    of = [VERSION, asdict(policy), primary.key, primary.precision, attempts]
    checked = hashlib.sha256(json.dumps(of).encode()).hexdigest()
    stored = SimilarityCheck.objects.filter(challenge=challenge, phase=phase.name).first()
    if stored is not None and stored.checked == checked:
        return
    try:
        found = call_bounded(
            similar_predictions,
            runs,
            [row.entry.attempt for row in ranked],
            [row.entry.team or "" for row in ranked],
            [{primary.key: row.values[primary.key]} for row in ranked],
            asdict(policy),
            asdict(primary),
            bounds=bounds,
        )
    except BoundsError as limit:
        log.warning("Looking for nearly equal predictions exceeded the limits: %s", limit)
        found = {"pairs": [], "compared": 0}
    defaults = {"checked": checked, "computed": timezone.now(), **found}
    SimilarityCheck.objects.update_or_create(challenge=challenge, phase=phase.name, defaults=defaults)
