"""What is asked of a board, by page, download or API: whose, by whom, in which order."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.functional import cached_property

from palio import __version__
from palio.core.bundle.model import Bundle, Phase
from palio.core.bundle.pick_phase import pick_phase
from palio.web.access.relations import own_team
from palio.web.http.request import Request
from palio.web.leaderboard.ranked import Sight, sight
from palio.web.leaderboard.shown import BY_RANK, Shown, show
from palio.web.models import Challenge, Submission, Team
from palio.web.storage.bundles import current_bundle, phase_named


@dataclass(frozen=True)
class Asked:
    """Whose board, and how it is to be sorted."""

    challenge: Challenge
    bundle: Bundle
    phase: Phase
    seen: Sight
    team: Team | None
    sort_asked: str

    @cached_property
    def shown(self) -> Shown:
        return show(*self.whose)

    @property
    def whose(self) -> tuple[Challenge, Phase, Sight, Team | None]:
        return self.challenge, self.phase, self.seen, self.team

    @property
    def sort(self) -> str:
        return self.shown.sort(self.sort_asked)

    @property
    def stamp(self) -> str:
        """The same while what it gives is the same."""
        of = [*self.shown.stamp, self.phase.name, self.seen, self.team and self.team.pk, self.sort]
        return hashlib.sha256(json.dumps([__version__, *of]).encode()).hexdigest()[:32]

    def as_json(self) -> str:
        """For whoever computes. The reader's own team is named apart, so that rows are the same for all."""
        shown = self.shown
        head = {
            "own_team": self.team.name if self.team else None,
            "challenge": self.challenge.slug,
            "title": self.bundle.title,
            "phase": self.phase.name,
            "hidden": self.seen in {Sight.OWN, Sight.NOTHING},
            "primary": shown.primary.key if shown.shows_primary else None,
            "columns": [
                {"key": each.key, "title": each.title, "descending": each.descending, "precision": each.precision}
                for each in shown.columns
            ],
            "cases": shown.cases,
        }
        rows = ",\n".join(shown.data[place] for place in shown.order(self.sort))
        return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "rows": [{rows}]}}'


def asked(request: Request[Challenge], name: str | None) -> Asked:
    """Raises Http404 if there is no such phase."""
    challenge = request.subject
    if challenge.current is None:
        raise Http404
    bundle = current_bundle(challenge)
    phase = phase_named(bundle, name) if name else pick_phase(bundle, None)
    if phase is None:
        raise Http404
    seen = sight(request.relations, bundle, phase)
    return Asked(challenge, bundle, phase, seen, own_team(challenge, request.user), request.GET.get("sort", BY_RANK))


def own_scores(team: Team, phase: Phase) -> list[tuple[str, datetime, dict[str, float], str]]:
    """A team's submissions that have a score, oldest first: id, when, scores, note."""
    rows = Submission.objects.filter(team=team, phase=phase.name, withdrawn=None).exclude(counted=None)
    listed = rows.order_by("created").values_list("id", "created", "counted__scores", "note")
    return [(submission, when, scores or {}, note) for submission, when, scores, note in listed]


def etag_for(request: Request[Challenge], stamp: str) -> str:
    """A page also holds the reader's name and what protects their forms."""
    of = [stamp, request.user.pk, request.META.get("CSRF_COOKIE", ""), sorted(request.relations)]
    return f'"{hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]}"'


def private(response: HttpResponse) -> HttpResponse:
    """To be asked for again each time, and kept for nobody else."""
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response
