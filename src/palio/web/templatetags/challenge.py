"""The tabs of a challenge and the states of its phases."""

from dataclasses import dataclass, replace
from functools import lru_cache

from django import template
from django.http import HttpRequest
from django.template import RequestContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from palio.core.bundle.feedback import sentence
from palio.core.bundle.leaderboards import ranking_of, shown_leaderboards
from palio.core.bundle.model import Bundle, Leaderboard, Phase, RankingPolicy
from palio.core.bundle.pick_phase import phase_state
from palio.web.access.rules import VIEWER
from palio.web.http.request import Relation
from palio.web.language.sentences import said
from palio.web.models import Announcement, Challenge
from palio.web.queries.challenges import accent_url, cover_url, logo_url
from palio.web.storage.bundles import bundle_of

register = template.Library()

# Pages whose tab does not follow from their address.
_BELOW = dict.fromkeys(("pages:submit", "pages:submit-file", "pages:submission"), "submissions") | {
    "pages:invite-member": "own-team",
    "pages:challenge-settings": "dashboard",
    **dict.fromkeys(
        ("pages:list-team-webhooks", "pages:make-team-webhook", "pages:rotate-team-webhook", "pages:team"), "own-team"
    ),
    "pages:invite-participant": "dashboard",
}


@dataclass(frozen=True)
class Tab:
    title: str
    url: str
    current: bool
    is_elsewhere: bool = False  # on another site


@register.simple_tag(takes_context=True)
def tabs(context: RequestContext, challenge: Challenge) -> list[Tab]:
    """The pages of this challenge that the user may open."""
    request: HttpRequest = context["request"]
    relations: frozenset[Relation] = context.get("relations") or frozenset()
    bundle = bundle_of(challenge.current) if challenge.current else None
    is_participant = Relation.PARTICIPANT in relations or Relation.TEAM in relations
    has_role = bool(VIEWER & relations)
    wanted: list[tuple[str, str, bool]] = [(gettext("Overview"), "challenge", True)]
    wanted += [
        (gettext("Phases"), "challenge-phases", True),
        (gettext("Terms"), "challenge-terms", bool(bundle and bundle.terms)),
        (
            gettext("Announcements"),
            "challenge-announcements",
            Announcement.objects.filter(challenge=challenge).exists(),
        ),
        (gettext("Downloads"), "challenge-data", Relation.PARTICIPANT in relations or has_role),
        (gettext("Leaderboard"), "leaderboard", True),
        (gettext("My submissions"), "submissions", is_participant),
        (gettext("Team"), "own-team", Relation.PARTICIPANT in relations),
        (gettext("Manage"), "dashboard", has_role),
    ]
    found = []
    for title, name, shown in wanted:
        if shown:
            found.append(Tab(title, _url(name, challenge.slug), False))
    pages = bundle.pages if bundle else ()
    first = pages[0].title if pages else gettext("Overview")
    own = [Tab(page.title, _page_url(challenge.slug, index), False) for index, page in enumerate(pages) if index]
    found = [Tab(first, found[0].url, False), *own, *found[1:]]
    if bundle and bundle.presentation.discussion:
        found.append(Tab(gettext("Discussion"), bundle.presentation.discussion, False, is_elsewhere=True))
    above = _BELOW.get(request.resolver_match.view_name) if request.resolver_match else None
    if above == "submissions" and not is_participant:
        above = "dashboard"
    here = _url(above, challenge.slug) if above else request.path
    return [replace(tab, current=tab.url == _best(here, found)) for tab in found]


@register.simple_tag
def cover(challenge: Challenge) -> str:
    """The URL of the challenge's cover or else its logo, or an empty string."""
    version = challenge.current
    return cover_url(challenge, version) or logo_url(challenge, version) if version else ""


@register.simple_tag
def accent(challenge: Challenge) -> str:
    """The URL of the style sheet with the challenge's accent, or an empty string if it has the platform's."""
    return accent_url(challenge, challenge.current) if challenge.current else ""


@register.simple_tag
def description(challenge: Challenge) -> str:
    return bundle_of(challenge.current).description if challenge.current else ""


@register.filter("phase_state")
def phase_state_now(phase: Phase) -> str:
    """`soon`, `open` or `closed`, as of now."""
    return phase_state(phase, timezone.now())


@register.filter
def feedback(phase: Phase) -> str:
    """What participants see of scores; empty if exact scores."""
    return said(sentence(phase.rules.feedback))


@register.filter("leaderboards")
def leaderboards_and_rankings(phase: Phase, bundle: Bundle) -> list[tuple[Leaderboard, RankingPolicy]]:
    """The leaderboards of a phase that participants see, and whose submissions each ranks."""
    return [(board, ranking_of(phase, board)) for board in shown_leaderboards(bundle, phase)]


@lru_cache(4096)  # about ten per page
def _url(name: str, slug: str) -> str:
    return reverse(f"pages:{name}", kwargs={"challenge": slug})


@lru_cache(4096)
def _page_url(slug: str, index: int) -> str:
    return reverse("pages:challenge-page", kwargs={"challenge": slug, "index": index})


def _best(path: str, among: list[Tab]) -> str:
    """The URL of the tab that a path belongs to: the one with the longest matching prefix."""
    first = among[0].url
    fitting = [tab.url for tab in among[1:] if path.startswith(tab.url)]
    return max(fitting, key=len) if fitting else (first if path == first else "")
