"""What a page, a download or an API call asks for: whose leaderboard, for whom, in which order."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import cached_property

from palio import __version__
from palio.core.bundle.feedback import sentence
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Bundle, Leaderboard, Phase
from palio.core.bundle.pick_phase import find_phase, pick_phase
from palio.core.leaderboard.ranking import Entry
from palio.web.http.request import Request
from palio.web.leaderboard.entries import read_shown
from palio.web.leaderboard.formats import csv_text
from palio.web.leaderboard.snapshot import BY_RANK, Snapshot, snapshot
from palio.web.leaderboard.visibility import Visibility, listed_leaderboards, visibility
from palio.web.models import Challenge, Submission, Team
from palio.web.storage.bundles import current_bundle


@dataclass(frozen=True)
class LeaderboardRequest:
    """`team` is the reader's own; `boards` are the leaderboards to choose from, one of which is `board`."""

    challenge: Challenge
    bundle: Bundle
    phase: Phase
    board: Leaderboard
    boards: tuple[Leaderboard, ...]
    visibility: Visibility
    team: Team | None
    wanted_sort: str

    @cached_property
    def snapshot(self) -> Snapshot:
        return snapshot(self.challenge, self.phase, self.board, self.visibility, self.team)

    @property
    def sort(self) -> str:
        return self.snapshot.sort_key(self.wanted_sort)

    @cached_property
    def address(self) -> str:
        return reverse("pages:leaderboard-phase", args=[self.challenge.slug, self.phase.name])

    def etag(self, request: Request[Challenge]) -> str:
        """The same for the same reader while the leaderboard is the same. A page also has the name and the form token
        of its reader."""
        shown = [__version__, *self.snapshot.revision, self.phase.name, self.board.key, self.visibility, self.sort]
        reader = [self.team and self.team.pk, request.user.pk, request.META.get("CSRF_COOKIE", "")]
        digest = hashlib.sha256(json.dumps([*shown, *reader, sorted(request.relations)]).encode()).hexdigest()
        return f'"{digest[:32]}"'

    def json(self) -> str:
        """The reader's own team is named apart from the rows, which are the same for all readers."""
        found = self.snapshot
        head = {
            "own_team": self.team.name if self.team else None,
            "challenge": self.challenge.slug,
            "title": self.bundle.title,
            "phase": self.phase.name,
            "leaderboard": self.board.key,
            "leaderboard_title": self.board.title,
            "leaderboards": [{"key": each.key, "title": each.title} for each in self.boards],
            "hidden": self.visibility in {Visibility.OWN, Visibility.NONE},
            "primary": found.leaderboard.primary.key if found.leaderboard.shows_primary else None,
            "columns": [
                {"key": each.key, "title": each.title, "descending": each.descending, "precision": each.precision}
                for each in found.leaderboard.columns
            ],
            "questions": [{"key": each.key, "title": each.title} for each in found.leaderboard.questions],
            "cases": found.statistics.cases,
            "feedback": sentence(self.phase.rules.feedback) or None,
        }
        rows = ",\n".join(found.json[place] for place in found.order(self.sort))
        return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "rows": [{rows}]}}'

    def csv(self) -> bytes:
        return csv_text(self.snapshot.leaderboard, self.snapshot.statistics, self.snapshot.order(self.sort))


def leaderboard_request(request: Request[Challenge], phase_name: str | None) -> LeaderboardRequest:
    """Without a phase's name, the phase is the open one; without a key, the leaderboard is the first to choose from.

    Raises Http404 for an unknown phase or leaderboard, or one that the reader cannot choose.
    """
    challenge = request.subject
    if challenge.current is None:
        raise Http404
    bundle = current_bundle(challenge)
    phase = find_phase(bundle, phase_name) if phase_name else pick_phase(bundle, None)
    if phase is None:
        raise Http404
    boards, key = listed_leaderboards(request.relations, bundle, phase), request.GET.get("leaderboard")
    board = next((board for board in boards if board.key == key), None) if key else boards[0]
    if board is None:
        raise Http404
    return LeaderboardRequest(
        challenge=challenge,
        bundle=bundle,
        phase=phase,
        board=board,
        boards=boards,
        visibility=visibility(request.relations, board, phase),
        team=request.team,
        wanted_sort=request.GET.get("sort", BY_RANK),
    )


def own_scores(wanted: LeaderboardRequest) -> list[tuple[str, datetime, dict[str, float], str]]:
    """The scored submissions of the reader's team, oldest first: id, time, scores that the reader may see, and note."""
    team, phase = wanted.team, wanted.phase
    if team is None or wanted.visibility is Visibility.NONE:
        return []
    rows = Submission.objects.filter(team=team, phase=phase.name, withdrawn=None).exclude(counted=None)
    listed = rows.order_by("created").values_list("id", "created", "counted__scores", "note")
    entries = [Entry(submission, created, scores or {}, team.pk) for submission, created, scores, _ in listed]
    if wanted.visibility is not Visibility.ALL:
        entries = read_shown(wanted.challenge, phase, primary_of(wanted.bundle, phase), entries, team)
    return [
        (entry.label, entry.submitted, {**entry.scores}, note)
        for entry, (*_, note) in zip(entries, listed, strict=True)
    ]


def private(response: HttpResponse) -> HttpResponse:
    """Lets only the reader's browser store the response, which then asks each time whether it has changed."""
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response
