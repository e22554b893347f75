"""The front page: the challenges."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from palio.core.bundle.model import Bundle, Phase
from palio.web.http.request import Relation
from palio.web.leaderboard.ranked import Sight, sight
from palio.web.leaderboard.shown import show
from palio.web.models import Challenge, Registration, User
from palio.web.queries.challenges import picture_url
from palio.web.storage.bundles import reading_of
from palio.web.templatetags.challenge import phase_now


@dataclass(frozen=True)
class Card:
    challenge: Challenge
    bundle: Bundle
    logo: str  # its address, or ""
    phase: Phase | None
    taking_part: int
    best: str  # the best score on the board of that phase, with the column's title, or ""


def home(request: HttpRequest) -> HttpResponse:
    listed = Challenge.objects.exclude(current=None).select_related("current").order_by("-created")
    public = listed.exclude(visibility=Challenge.Visibility.DRAFT)
    user = request.user
    drafts = listed.none()
    if isinstance(user, User):
        drafts = listed.filter(visibility=Challenge.Visibility.DRAFT)
        drafts = drafts if user.is_superuser else drafts.filter(roles__user=user)
    counts = dict(
        Registration.objects.filter(state=Registration.State.APPROVED)
        .values_list("challenge")
        .annotate(Count("id"))
        .order_by()
    )
    cards = [_card(challenge, counts) for challenge in public]
    context = {
        "cards": [card for card in cards if card.challenge.visibility == Challenge.Visibility.PUBLISHED],
        "archived": [card for card in cards if card.challenge.visibility == Challenge.Visibility.ARCHIVED],
        "drafts": [_card(challenge, counts) for challenge in drafts],
        "may_publish": isinstance(user, User) and (user.is_staff or user.is_superuser),
    }
    return render(request, "home.html", context)


def _card(challenge: Challenge, counts: Mapping[int, int]) -> Card:
    version = challenge.current
    if version is None:
        raise ValueError(f"{challenge.slug} has no version yet")
    reading = reading_of(version)
    bundle = reading.bundle
    logo = bundle.logo.relative_to(bundle.root).as_posix() if bundle.logo else ""
    shown = picture_url(challenge.slug, version.number, logo) if logo in reading.pictures else ""
    phase = phase_now(bundle, timezone.now())
    best = _best(challenge, bundle, phase) if phase else ""
    return Card(challenge, bundle, shown, phase, counts.get(challenge.pk, 0), best)


def _best(challenge: Challenge, bundle: Bundle, phase: Phase) -> str:
    """What leads the board, where everybody may see it."""
    seen = sight({Relation.ANYONE}, bundle, phase)
    if seen is not Sight.PUBLIC:
        return ""
    board = show(challenge, phase, seen, None)
    rows = (json.loads(row) for row in board.data)
    leading = next((row for row in rows if row["rank"] and not row["baseline"]), None)
    if leading is None or not board.shows_primary:
        return ""
    return f"{board.primary.title} {leading['scores'][board.primary.key]:.{board.primary.precision}f}"


urls = [path("", home, name="home")]
