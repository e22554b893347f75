"""A challenge for its readers: its pages, phases, terms, announcements and versions."""

import re
from html import unescape

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.pick_phase import OPEN, phase_state, pick_phase
from palio.web.access.relations import own_team
from palio.web.http.request import Request
from palio.web.models import Challenge, Registration, User
from palio.web.queries.challenges import (
    cover_url,
    leaders,
    logo_url,
    picture_url,
    published,
    rendered_page,
    rendered_terms,
    sample_pictures,
)
from palio.web.reading.typed_markdown import shown_texts
from palio.web.verbs.joining import needs_terms, registration_of, terms_of
from palio.web.verbs.submission_limits import quotas_of

LEADERS = 3  # on the overview


def standing(request: HttpRequest, challenge: Challenge) -> dict[str, object]:
    """The user's registration, team, remaining submissions, and whether the terms have changed."""
    if not isinstance(request.user, User):
        return {"registration": None, "team": None, "terms_are_new": False, "quotas": []}
    registration = registration_of(challenge, request.user)
    is_participant = registration is not None and registration.state == Registration.State.APPROVED
    team = own_team(challenge, request.user) if is_participant else None
    return {
        "registration": registration,
        "team": team,
        "quotas": [quota for quota in quotas_of(team) if phase_state(quota.phase, timezone.now()) == OPEN]
        if team
        else [],
        "terms_are_new": registration is not None and is_participant and needs_terms(registration),
    }


def overview(request: Request[Challenge], challenge: str) -> HttpResponse:
    return _page(request, 0)


def page(request: Request[Challenge], challenge: str, index: int) -> HttpResponse:
    return _page(request, index)


def _page(request: Request[Challenge], index: int) -> HttpResponse:
    challenge, version, bundle = published(request.subject)
    if index and index >= len(bundle.pages):
        raise Http404
    participants = Registration.objects.filter(challenge=challenge, state=Registration.State.APPROVED).count()
    phase = pick_phase(bundle, None, timezone.now())
    context = {
        "challenge": challenge,
        "bundle": bundle,
        "title": bundle.pages[index].title if bundle.pages else gettext("Overview"),
        "html": _without_title(rendered_page(challenge, version, index), bundle.title) if bundle.pages else "",
        "is_first": index == 0,
        "phase": phase,
        "leaders": leaders(challenge, bundle, phase, LEADERS) if index == 0 else [],
        "participants": participants,
        "cover": cover_url(challenge, version),
        "logo": logo_url(challenge, version),
        "samples": [
            picture_url(challenge.slug, version.number, name)
            for name, _ in sample_pictures(version, request.relations)
            if index == 0
        ],
        "example": "predictions.csv" if phase.rules.submissions == (SubmissionKind.RESULTS,) else "submission.zip",
        "announcements": challenge.announcements.all()[:3],
        "version": version,
        **standing(request, challenge),
    }
    return render(request, "challenge/overview.html", context)


def _without_title(html: SafeString, title: str) -> SafeString:
    """The page without a first heading that repeats the challenge's title, which stands above it already."""
    heading = re.match(r"\s*<h[1-6][^>]*>([^<]*)</h[1-6]>", html)
    if heading is None or unescape(heading[1]).strip().casefold() != title.strip().casefold():
        return html
    return mark_safe(html[heading.end() :])  # noqa: S308 - as safe as the whole


def phases(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, bundle = published(request.subject)
    return render(request, "challenge/phases.html", {"challenge": found, "bundle": bundle})


def terms(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, version, bundle = published(request.subject)
    if bundle.terms is None:
        raise Http404
    digest = found_terms.digest if (found_terms := terms_of(bundle)) else ""
    html = rendered_terms(found, version)
    context = {"challenge": found, "html": html, "terms_digest": digest, **standing(request, found)}
    return render(request, "challenge/terms.html", context)


def versions(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, _ = published(request.subject)
    listed = found.versions.select_related("published_by").order_by("-number")
    return render(request, "challenge/versions.html", {"challenge": found, "versions": listed})


def announcements(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, _ = published(request.subject)
    said = [*found.announcements.select_related("author")]
    listed = [*zip(said, shown_texts([each.text for each in said]), strict=True)]
    return render(request, "challenge/announcements.html", {"challenge": found, "announcements": listed})


urls = [
    path("c/<slug:challenge>/", overview, name="challenge"),
    path("c/<slug:challenge>/pages/<int:index>/", page, name="challenge-page"),
    path("c/<slug:challenge>/phases/", phases, name="challenge-phases"),
    path("c/<slug:challenge>/terms/", terms, name="challenge-terms"),
    path("c/<slug:challenge>/versions/", versions, name="challenge-versions"),
    path("c/<slug:challenge>/announcements/", announcements, name="challenge-announcements"),
]
