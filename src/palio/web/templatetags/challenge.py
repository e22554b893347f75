"""What stands above every page of a challenge: its title and tabs."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django import template
from django.http import HttpRequest
from django.template import RequestContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from palio.core.bundle.model import Bundle, Phase
from palio.web.access.rules import ORGANIZER, VIEWER
from palio.web.http.request import Relation
from palio.web.models import Announcement, Challenge
from palio.web.storage.bundles import bundle_of

register = template.Library()

# Pages that lie below a tab by what they are about, and not by their address.
_BELOW = dict.fromkeys(("pages:submit", "pages:submit-file", "pages:submission"), "submissions") | {
    "pages:invite-member": "own-team"
}


@dataclass(frozen=True)
class Tab:
    title: str
    url: str
    current: bool


@register.simple_tag(takes_context=True)
def tabs(context: RequestContext, challenge: Challenge) -> list[Tab]:
    """The pages of this challenge that the reader may open, in the order of a visit."""
    request: HttpRequest = context["request"]
    held: frozenset[Relation] = context.get("held") or frozenset()
    bundle = bundle_of(challenge.current) if challenge.current else None
    takes_part = Relation.PARTICIPANT in held or Relation.TEAM in held
    helps = bool(VIEWER & held)
    wanted: list[tuple[str, str, bool]] = [("Overview", "challenge", True)]
    wanted += [
        ("Phases", "challenge-phases", True),
        ("Terms", "challenge-terms", bool(bundle and bundle.terms)),
        ("Announcements", "challenge-announcements", Announcement.objects.filter(challenge=challenge).exists()),
        ("Downloads", "challenge-data", Relation.PARTICIPANT in held or helps),
        ("Leaderboard", "board", True),
        ("Submissions", "submissions", takes_part),
        ("Team", "own-team", Relation.PARTICIPANT in held),
        ("Organize", "desk", helps),
        ("Settings", "challenge-settings", bool(ORGANIZER & held)),
    ]
    found = []
    for title, name, shown in wanted:
        if shown and (url := _url(name, challenge.slug)):
            found.append(Tab(title, url, False))
    pages = bundle.pages if bundle else ()
    first = pages[0].title if pages else "Overview"
    own = [Tab(page.title, _page_url(challenge.slug, index), False) for index, page in enumerate(pages) if index]
    found = [Tab(first, found[0].url, False), *own, *found[1:]]
    above = _BELOW.get(request.resolver_match.view_name) if request.resolver_match else None
    if above == "submissions" and not takes_part:
        above = "desk"
    here = (_url(above, challenge.slug) if above else request.path) or ""
    return [Tab(tab.title, tab.url, tab.url == _best(here, found)) for tab in found]


@register.filter
def phase_state(phase: Phase) -> str:
    """`open`, `soon` or `closed`."""
    return state_of(phase, timezone.now())


def state_of(phase: Phase, now: datetime) -> str:
    if now < phase.start:
        return "soon"
    return "closed" if phase.end is not None and phase.end <= now else "open"


def phase_now(bundle: Bundle, now: datetime) -> Phase | None:
    """The phase to speak of: open now, else the next to open, else the last that was."""
    by_state = {
        state: [phase for phase in bundle.phases if state_of(phase, now) == state]
        for state in ("open", "soon", "closed")
    }
    return next(iter(by_state["open"] or by_state["soon"] or by_state["closed"][-1:]), None)


@lru_cache(4096)  # ten or so on each page
def _url(name: str, slug: str) -> str | None:
    try:
        return reverse(f"pages:{name}", kwargs={"challenge": slug})
    except NoReverseMatch:
        return None


@lru_cache(4096)
def _page_url(slug: str, index: int) -> str:
    return reverse("pages:challenge-page", kwargs={"challenge": slug, "index": index})


def _best(path: str, among: list[Tab]) -> str:
    """The tab that a page below it belongs to: the longest beginning of its path."""
    first = among[0].url
    fitting = [tab.url for tab in among[1:] if path.startswith(tab.url)]
    return max(fitting, key=len) if fitting else (first if path == first else "")
