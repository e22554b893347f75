"""Auto-migration: a phase that takes over submissions evaluates those of the phase before as its own.

It begins when the phase opens. As on Codabench, every scored submission is taken over, also one that is scored later;
in bundles for CodaLab, only what is on the leaderboard then. A team keeps its limits for submissions of its own: none
that is taken over counts. Withdrawn, hidden and disqualified submissions stay where they are, and so do those whose
file was deleted or whose kind the phase does not accept.
"""

from datetime import datetime
from itertools import pairwise

from django.db import transaction
from django.db.models import QuerySet

from palio.core.attempt.states import State
from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Bundle, Phase
from palio.web.leaderboard.entries import read_entries, team_names
from palio.web.leaderboard.leaderboard import build_leaderboard
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, Challenge, Submission
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import events

AT_A_TIME = 100  # submissions in a transaction


def migrate(challenge: Challenge, now: datetime) -> int:
    """Submits what its open phases take over and do not have yet; returns how many submissions. Can be repeated."""
    bundle = current_bundle(challenge)
    return sum(
        _migrate(challenge, bundle, before, phase)
        for before, phase in pairwise(bundle.phases)
        if phase.auto_migrate and phase.start <= now and (phase.end is None or now < phase.end)
    )


def _migrate(challenge: Challenge, bundle: Bundle, before: Phase, phase: Phase) -> int:
    with transaction.atomic():
        found = _missing(challenge, before, phase)
        if phase.migrates_ranked and found.exists():
            found = found.filter(pk__in=_ranked(challenge, bundle, before))
        submissions = list(found.select_for_update(of=("self",)).order_by("created", "id")[:AT_A_TIME])
        for source in submissions:
            _take_over(challenge, phase, source)
    return len(submissions)


def _missing(challenge: Challenge, before: Phase, phase: Phase) -> QuerySet[Submission]:
    return Submission.objects.filter(
        challenge=challenge,
        phase=before.name,
        counted__isnull=False,
        migrated_to=None,
        withdrawn=None,
        hidden=None,
        disqualified="",
        file__deleted=None,
        file__kind__in=[kind.value for kind in phase.rules.submissions],
    )


def _ranked(challenge: Challenge, bundle: Bundle, phase: Phase) -> list[str]:
    board = leaderboards_of(bundle, phase)[0]
    entries, names = read_entries(challenge, phase.name), team_names(challenge)
    leaderboard = build_leaderboard(phase, board, entries, names, Visibility.ALL)
    return [row.entry.label for row in leaderboard.rows if row.rank is not None]


def _take_over(challenge: Challenge, phase: Phase, source: Submission) -> None:
    submission = Submission.objects.create(
        challenge=challenge,
        phase=phase.name,
        team_id=source.team_id,
        user_id=source.user_id,
        file_id=source.file_id,
        note=source.note,
        answers=source.answers,
        baseline=source.baseline,
        migrated_from=source,
    )
    attempt = Attempt.objects.create(submission=submission, number=1, version=challenge.current)
    events.record("submission.migrated", actor=None, submission=submission, phase=phase.name, source=source.pk)
    events.record("attempt.moved", actor=None, attempt=attempt, new=State.QUEUED, why="migrated")
