"""The home page: all challenges."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from palio.core.bundle.leaderboards import shown_leaderboards
from palio.core.bundle.model import Bundle, Phase
from palio.core.bundle.pick_phase import pick_phase
from palio.web.http.request import Relation
from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility, visibility
from palio.web.models import Challenge, Registration, User
from palio.web.queries.challenges import logo_url
from palio.web.storage.bundles import bundle_of


@dataclass(frozen=True)
class ChallengeCard:
    challenge: Challenge
    bundle: Bundle
    logo: str  # URL, or ""
    phase: Phase
    participants: int
    best: str  # column title and best score of that phase, or ""


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


def _card(challenge: Challenge, counts: Mapping[int, int]) -> ChallengeCard:
    version = challenge.current
    if version is None:
        raise ValueError(f"{challenge.slug} has no version yet")
    bundle = bundle_of(version)
    phase = pick_phase(bundle, None, timezone.now())
    best = _best(challenge, bundle, phase)
    return ChallengeCard(challenge, bundle, logo_url(challenge, version), phase, counts.get(challenge.pk, 0), best)


def _best(challenge: Challenge, bundle: Bundle, phase: Phase) -> str:
    """The best score on the leaderboard, if everyone may see it."""
    board = shown_leaderboards(bundle, phase)[0]
    if visibility({Relation.ANYONE}, board, phase) is not Visibility.PUBLIC:
        return ""
    leaderboard = snapshot(challenge, phase, board, Visibility.PUBLIC).leaderboard
    leading = next((row for row in leaderboard.rows if row.rank and not row.entry.baseline), None)
    if leading is None or not leaderboard.shows_primary:
        return ""
    primary = leaderboard.primary
    return f"{primary.title} {leading.values[primary.key]:.{primary.precision}f}"


urls = [path("", home, name="home")]
