"""The public page of a team that wants one: its rows on leaderboards that everyone may see, with their receipts.

It shows nothing that the leaderboards do not show. A receipt has all scores of a submission, unrounded, so it is only
offered where everyone may see exact scores and no column is hidden.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from palio.core.bundle.leaderboards import shown_leaderboards
from palio.core.bundle.model import Bundle, Phase
from palio.core.leaderboard.ranking import rank_text
from palio.web.http.request import Relation
from palio.web.language.numbers import number
from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility, shows_exact, visibility
from palio.web.models import Attempt, Team
from palio.web.queries.submission import receipt_path

_EVERYONE = frozenset({Relation.ANYONE})


@dataclass(frozen=True)
class PublicEntry:
    """A row of a leaderboard, with texts as the leaderboard has them."""

    phase: str
    leaderboard: str
    rank: str
    column: str  # the primary one
    score: str
    interval: str  # or ""
    submitted: datetime
    submission: str
    receipt: Path | None


def public_entries(team: Team, bundle: Bundle) -> list[PublicEntry]:
    return [entry for phase in bundle.phases for entry in _of_phase(team, bundle, phase)]


def public_receipt(team: Team, bundle: Bundle, submission: str) -> Path | None:
    """None if everyone may not have it."""
    found = (entry.receipt for entry in public_entries(team, bundle) if entry.submission == submission)
    return next((receipt for receipt in found if receipt), None)


def _of_phase(team: Team, bundle: Bundle, phase: Phase) -> Iterator[PublicEntry]:
    for board in shown_leaderboards(bundle, phase):
        if visibility(_EVERYONE, board, phase) is not Visibility.PUBLIC:
            continue
        found = snapshot(team.challenge, phase, board, Visibility.PUBLIC)
        primary, known = found.leaderboard.primary, found.statistics
        if not found.leaderboard.shows_primary:
            continue
        digits = f".{primary.precision}f"
        for row in found.leaderboard.rows:
            if row.entry.team != team.pk or row.entry.baseline or primary.key not in row.values:
                continue
            interval = known.interval(row.entry.attempt, primary) if row.rank else None
            attempt = Attempt.objects.select_related("submission", "version").get(pk=row.entry.attempt)
            yield PublicEntry(
                phase=phase.name,
                leaderboard=board.title,
                rank=rank_text(row.rank, known.ranges.get(row.entry.attempt)),
                column=primary.title,
                score=number(row.values[primary.key], digits),
                interval="–".join(number(end, digits) for end in interval or ()),
                submitted=row.entry.submitted,
                submission=row.entry.label,
                receipt=receipt_path(attempt, full=False) if shows_exact(_EVERYONE, phase) else None,
            )
