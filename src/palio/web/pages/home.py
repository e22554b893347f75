"""The home page: all challenges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from palio.core.bundle.model import Bundle, Phase
from palio.core.bundle.pick_phase import CLOSED, OPEN, SOON, phase_state, pick_phase
from palio.web.models import Challenge, Registration, User
from palio.web.queries.challenges import Leader, cover_url, leaders, logo_url
from palio.web.storage.bundles import bundle_of

SEARCHED = 4  # with fewer challenges, a search would only be in the way


@dataclass(frozen=True)
class ChallengeCard:
    challenge: Challenge
    bundle: Bundle
    logo: str  # URL, or ""
    cover: str  # URL, or "": it is drawn
    phase: Phase
    state: str  # of the phase
    participants: int
    best: Leader | None  # of the phase


@dataclass(frozen=True)
class Search:
    words: str
    state: str
    tag: str

    @property
    def is_set(self) -> bool:
        return bool(self.words or self.state or self.tag)

    def finds(self, card: ChallengeCard) -> bool:
        """Whether all words are in its name, title, description or tags, its phase is in that state, and it has that
        tag."""
        tags = [tag.casefold() for tag in card.bundle.presentation.tags.all]
        text = f"{card.challenge.slug} {card.bundle.title} {card.bundle.description} {' '.join(tags)}".casefold()
        has_tag = not self.tag or self.tag.casefold() in tags
        has_words = all(word in text for word in self.words.casefold().split())
        return has_words and has_tag and self.state in ("", card.state)


def home(request: HttpRequest) -> HttpResponse:
    """Searched with `q`, `state` and `tag`, all without a script."""
    search = Search(request.GET.get("q", "").strip(), request.GET.get("state", ""), request.GET.get("tag", ""))
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
    everything = [_card(challenge, counts) for challenge in public]
    found = [card for card in everything if search.finds(card)]
    published = [card for card in found if card.challenge.visibility == Challenge.Visibility.PUBLISHED]
    own = _own(user) if isinstance(user, User) else set()
    context = {
        "own": [card for card in published if card.challenge.pk in own],
        "cards": [card for card in published if card.challenge.pk not in own],
        "archived": [card for card in found if card.challenge.visibility == Challenge.Visibility.ARCHIVED],
        "drafts": [card for card in (_card(each, counts) for each in drafts) if search.finds(card)],
        "any": bool(everything),
        "shows_search": len(everything) >= SEARCHED or search.is_set,
        "search": search,
        "states": (OPEN, SOON, CLOSED),
        "tags": _tags(everything),
        "may_publish": isinstance(user, User) and (user.is_staff or user.is_superuser),
    }
    return render(request, "home.html", context)


def _own(user: User) -> set[int]:
    """The challenges that the user participates in, has asked to join, or has a role in."""
    joined = user.registrations.filter(state__in=[Registration.State.APPROVED, Registration.State.PENDING])
    return {*joined.values_list("challenge", flat=True), *user.roles.values_list("challenge", flat=True)}


def _tags(cards: Sequence[ChallengeCard]) -> list[str]:
    """The tags of all challenges, without regard to case, in alphabetical order."""
    tags = {tag.casefold(): tag for card in cards for tag in card.bundle.presentation.tags.all}
    return [tags[key] for key in sorted(tags)]


def _card(challenge: Challenge, counts: Mapping[int, int]) -> ChallengeCard:
    version = challenge.current
    if version is None:
        raise ValueError(f"{challenge.slug} has no version yet")
    bundle = bundle_of(version)
    now = timezone.now()
    phase = pick_phase(bundle, None, now)
    best = next(iter(leaders(challenge, bundle, phase, 1)), None)
    return ChallengeCard(
        challenge=challenge,
        bundle=bundle,
        logo=logo_url(challenge, version),
        cover=cover_url(challenge, version),
        phase=phase,
        state=phase_state(phase, now),
        participants=counts.get(challenge.pk, 0),
        best=best,
    )


urls = [path("", home, name="home")]
