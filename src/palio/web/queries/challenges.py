"""A challenge for its readers, shared by pages and API."""

import re
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from palio.core.bundle.leaderboards import shown_leaderboards
from palio.core.bundle.model import Bundle, Phase
from palio.core.leaderboard.ranking import rank_text
from palio.web.access.rules import VIEWER
from palio.web.http.request import Relation
from palio.web.language.numbers import number
from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility, visibility
from palio.web.models import Challenge, ChallengeVersion
from palio.web.reading.readers import PAGE, PICTURE
from palio.web.storage.bundles import bundle_of, reading_of


@dataclass(frozen=True)
class Leader:
    """One of the first on a leaderboard that everyone may see, with texts as the leaderboard has them."""

    rank: str
    team: str
    column: str
    score: str
    interval: str  # or ""


def leaders(challenge: Challenge, bundle: Bundle, phase: Phase, count: int) -> list[Leader]:
    """The first rows of the phase's first leaderboard, without baselines; none if it is hidden."""
    board = shown_leaderboards(bundle, phase)[0]
    if visibility({Relation.ANYONE}, board, phase) is not Visibility.PUBLIC:
        return []
    found = snapshot(challenge, phase, board, Visibility.PUBLIC)
    if not found.leaderboard.shows_primary:
        return []
    primary, known = found.leaderboard.primary, found.statistics
    digits = f".{primary.precision}f"
    rows = [row for row in found.leaderboard.rows if row.rank and not row.entry.baseline][:count]
    return [
        Leader(
            rank=rank_text(row.rank, known.ranges.get(row.entry.attempt)),
            team=row.name,
            column=primary.title,
            score=number(row.values[primary.key], digits),
            interval="–".join(number(end, digits) for end in known.interval(row.entry.attempt, primary) or ()),
        )
        for row in rows
    ]


ACCENT = "-accent.css"  # the style sheet's name beside the pictures


def published(challenge: Challenge) -> tuple[Challenge, ChallengeVersion, Bundle]:
    """The challenge, its current version and bundle. Raises Http404 before the first version is published."""
    if challenge.current is None:
        raise Http404
    return challenge, challenge.current, bundle_of(challenge.current)


def visible_until(relations: Set[Relation]) -> datetime | None:
    """The time by which a phase must have opened for its downloads to be visible; None, for people with a role: all
    phases.
    """
    return None if VIEWER & relations else timezone.now()


def sample_pictures(version: ChallengeVersion, relations: Set[Relation]) -> list[tuple[str, bytes]]:
    """Small pictures of sample cases with their names for `picture_url`: for everyone if all data of the challenge is
    public, else for those who may download the samples.
    """
    reading = reading_of(version)
    is_public = all(phase.rules.data == "public" for phase in reading.bundle.phases)
    has_opened = any(phase.rules.sample and phase.start <= timezone.now() for phase in reading.bundle.phases)
    if VIEWER & relations or (has_opened and (is_public or Relation.PARTICIPANT in relations)):
        return [(f"-sample-{place}.png", content) for place, content in enumerate(reading.samples)]
    return []


def rendered_page(challenge: Challenge, version: ChallengeVersion, index: int) -> SafeString:
    return _with_addresses(challenge, version, reading_of(version).pages[index])


def rendered_terms(challenge: Challenge, version: ChallengeVersion) -> SafeString:
    return _with_addresses(challenge, version, reading_of(version).terms)


def picture_url(slug: str, number: int, name: str) -> str:
    first = reverse("pages:challenge-file", kwargs={"challenge": slug, "number": number, "name": "-"})
    return first.removesuffix("-") + quote(name)


def logo_url(challenge: Challenge, version: ChallengeVersion) -> str:
    """An empty string if the bundle has no logo that can be shown."""
    reading = reading_of(version)
    logo = reading.bundle.logo.relative_to(reading.bundle.root).as_posix() if reading.bundle.logo else ""
    return picture_url(challenge.slug, version.number, logo) if logo in reading.pictures else ""


def cover_url(challenge: Challenge, version: ChallengeVersion) -> str:
    """An empty string if the bundle has no cover that can be shown."""
    reading = reading_of(version)
    cover = reading.bundle.presentation.cover
    name = cover.relative_to(reading.bundle.root).as_posix() if cover else ""
    return picture_url(challenge.slug, version.number, name) if name in reading.pictures else ""


def accent_url(challenge: Challenge, version: ChallengeVersion) -> str:
    """An empty string if the challenge has the platform's accent."""
    return picture_url(challenge.slug, version.number, ACCENT) if bundle_of(version).presentation.accent else ""


def _with_addresses(challenge: Challenge, version: ChallengeVersion, html: str) -> SafeString:
    token = reading_of(version).token
    html = html.replace(f"{token}{PICTURE}", picture_url(challenge.slug, version.number, ""))
    html = re.sub(rf"{token}{PAGE}(\d+)", lambda found: _page_url(challenge.slug, int(found[1])), html)
    return mark_safe(html)  # noqa: S308 - reading.markdown has sanitized it


def _page_url(slug: str, index: int) -> str:
    if index == 0:
        return reverse("pages:challenge", kwargs={"challenge": slug})
    return reverse("pages:challenge-page", kwargs={"challenge": slug, "index": index})
