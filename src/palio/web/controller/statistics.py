"""Keeps the statistics of leaderboards complete: computed once, when a score comes in, and stored.

The loop compares the revision of each challenge with the one whose statistics are complete. After a change, a thread
with a database connection of its own looks for what is missing, has it computed, and stores it, which is a new
revision for readers. Scoring never waits for it. What a kill interrupted is still missing afterwards, and so are
statistics after an update or for attempts that are ranked now because of a withdrawal or a new version. Submissions
that were the best at their time keep an interval of their primary score.

Files that scoring programs wrote are read only in child processes with limits. An attempt whose file exceeds them has
no interval; the others have theirs. Not covered: an interval of any other attempt that is not ranked.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.bundle.case_metrics import measured_columns
from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Column, Leaderboard, Phase, StatisticsPolicy
from palio.core.leaderboard.ranking import Entry, Row
from palio.core.quantities import GIB
from palio.web.config.data_folder import Folders
from palio.web.controller import case_summaries, ladder, similarity
from palio.web.controller.attempt_calls import BoundedCall, Scores, call_for_attempts
from palio.web.controller.background import in_thread
from palio.web.controller.compute_statistics import MOST_RANGED, rank_ranges, score_intervals, too_many
from palio.web.leaderboard.leaderboard import mark_changed, read_leaderboard
from palio.web.leaderboard.statistics import (
    measured_scores,
    ranked_scores,
    ranking_digest,
    record_scores,
    settings_digest,
    task_indexes,
)
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Challenge, LeaderboardStatistics
from palio.web.storage.bundles import current_bundle

LOOK_S = 0.5  # between looks for changes
RETRY_S = 60.0  # after a failure, such as a machine without memory
AT_A_TIME = 50  # attempts in a child process
BOUNDS = Bounds(time_s=600, memory_bytes=4 * GIB)
KEPT_BYTES = GIB  # what is kept of a leaderboard for the next submission

log = logging.getLogger("palio.controller")


class StatisticsUpdate:
    """`look` is called by the loop. `start` runs what takes time; other values of it and of `call` are for tests."""

    def __init__(
        self,
        folders: Folders,
        start: Callable[[Callable[[], None]], None] = in_thread,
        call: BoundedCall = call_bounded,
    ) -> None:
        self._runs, self._kept, self._start, self._call = str(folders.runs), folders.statistics, start, call
        self._complete: dict[int, tuple[int, int | None]] = {}  # the revision of each challenge
        self._not_before: dict[int, float] = {}
        self._entries: dict[tuple[int, str], list[Entry]] = {}  # last read, which makes reading faster
        self._next, self._is_running = 0.0, False

    def look(self) -> None:
        now = time.monotonic()
        if self._is_running or now < self._next:
            return
        self._next = now + LOOK_S
        found = Challenge.objects.exclude(current=None).values_list("pk", "leaderboard_revision", "current_id")
        due = {
            pk: (revision, current)
            for pk, revision, current in found
            if self._complete.get(pk) != (revision, current) and self._not_before.get(pk, 0.0) <= now
        }
        if due:
            self._is_running = True
            self._start(lambda: self._update_all(due))

    # -- in the thread

    def _update_all(self, due: Mapping[int, tuple[int, int | None]]) -> None:
        try:
            for challenge, revision in due.items():
                try:
                    self.update(Challenge.objects.select_related("current").get(pk=challenge))
                    self._complete[challenge] = revision
                except Exception:
                    log.exception("Updating the statistics of a leaderboard failed; it is tried again later")
                    self._not_before[challenge] = time.monotonic() + RETRY_S
        finally:
            self._is_running = False

    def update(self, challenge: Challenge) -> None:
        """Computes and stores what is missing of a challenge's statistics."""
        bundle = current_bundle(challenge)
        for phase in bundle.phases:
            ladder.update(challenge, phase, self._runs, BOUNDS)  # first: scores wait for it
            for place, board in enumerate(leaderboards_of(bundle, phase)):
                if phase.rules.statistics is not None and not board.primary.hidden:
                    rows = self._update_leaderboard(challenge, phase, board, phase.rules.statistics)
                    if place == 0:
                        similarity.update(challenge, phase, board.primary, rows, self._runs, BOUNDS)
            if phase.rules.statistics is not None:
                case_summaries.update(challenge, phase, self._runs, BOUNDS)

    def _update_leaderboard(
        self, challenge: Challenge, phase: Phase, board: Leaderboard, policy: StatisticsPolicy
    ) -> list[Row]:
        """Returns the ranked rows whose cases can be compared with each other."""
        key, primary = (challenge.pk, phase.name), board.primary
        known = self._entries.get(key, ())
        leaderboard, self._entries[key] = read_leaderboard(challenge, phase, board, Visibility.ALL, known=known)
        measured = measured_columns(policy, leaderboard.columns, primary)
        scores, own = ranked_scores(leaderboard.rows, primary), measured_scores(leaderboard.rows, measured)
        for attempt, score in record_scores(leaderboard.records, primary).items():
            own.setdefault(attempt, {primary.key: score})
        of = {"challenge": challenge, "phase": phase.name, "leaderboard": board.key}
        stored = LeaderboardStatistics.objects.filter(**of).first() or LeaderboardStatistics(**of)
        tasks = task_indexes(phase)
        settings = settings_digest(policy, measured, primary, tasks)
        if stored.settings != settings:
            stored.settings, stored.intervals, stored.ranked = settings, {}, ""
        stored.intervals = {
            attempt: found
            for attempt, of_columns in own.items()
            if (found := stored.intervals.get(attempt))
            and {key: each["score"] for key, each in found.items()} == of_columns
        }
        missing = [attempt for attempt in own if attempt not in stored.intervals]
        for start in range(0, len(missing), AT_A_TIME):
            some = {attempt: own[attempt] for attempt in missing[start : start + AT_A_TIME]}
            given = (asdict(policy), [asdict(column) for column in measured], primary.key, tasks)
            stored.intervals |= call_for_attempts(
                score_intervals,
                self._runs,
                some,
                *given,
                bounds=BOUNDS,
                exceeded=partial(_exceeded, policy.cases),
                call=self._call,
            )
            _store(stored)
        if scores and stored.ranked != (ranked := ranking_digest(settings, scores)):
            found = self._ranges(scores, stored, policy, primary, tasks)
            stored.ranked, stored.ranges, stored.cases = ranked, found["ranges"], found["cases"]
            stored.no_ranges, stored.details = found["reason"], found["details"]
            _store(stored)
        comparable = {
            attempt for attempt, found in stored.intervals.items() if found.get(primary.key, {}).get("comparable")
        }
        return [row for row in leaderboard.rows if row.rank is not None and row.entry.attempt in comparable]

    def _ranges(
        self,
        scores: Mapping[str, float],
        stored: LeaderboardStatistics,
        policy: StatisticsPolicy,
        primary: Column,
        tasks: Sequence[int],
    ) -> dict[str, Any]:
        nothing: dict[str, Any] = {"ranges": {}, "cases": None, "details": {}}
        if not 1 < len(scores) <= MOST_RANGED:
            return nothing | {"reason": too_many(MOST_RANGED) if len(scores) > 1 else ""}
        usable = [attempt for attempt in scores if stored.intervals[attempt][primary.key].get("comparable")]
        of_board = hashlib.sha256(json.dumps([stored.challenge_id, stored.phase, stored.leaderboard]).encode())
        kept = self._kept / f"{of_board.hexdigest()[:32]}.kept"
        given = (scores, usable, asdict(policy), asdict(primary), tasks, str(kept), stored.settings)
        try:
            found: dict[str, Any] = self._call(
                rank_ranges, self._runs, *given, bounds=replace(BOUNDS, file_bytes=KEPT_BYTES)
            )
        except BoundsError as limit:
            log.warning("Computing rank ranges exceeded the limits: %s", limit)
            return nothing | {"reason": "Computing the rank ranges exceeded the limits."}
        return found


def _exceeded(cases: str, own: Scores, limit: str) -> dict[str, Any]:
    reason = f"scores/{cases} exceeds the limits: {limit}"
    return {key: {"score": score, "reason": reason} for key, score in own.items()}


def _store(statistics: LeaderboardStatistics) -> None:
    """Together with the revision, so that readers get it at once."""
    statistics.computed = timezone.now()
    with transaction.atomic():
        statistics.save()
        mark_changed(statistics.challenge)
