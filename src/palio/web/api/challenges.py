"""Challenges, for everyone."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from ninja import Router, Schema

from palio.web.api.announcements import AnnouncementOut, shown_announcement
from palio.web.api.challenge_schemas import (
    ChallengeOut,
    ChallengeWholeOut,
    PhaseOut,
    VersionOut,
    shown_challenge,
    shown_phases,
    shown_version,
)
from palio.web.api.openapi import answers
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request
from palio.web.models import Challenge, User
from palio.web.queries.challenges import published, rendered_page, visible_until
from palio.web.storage.downloads import download_response
from palio.web.verbs.joining import terms_of

router = Router(tags=["challenges"])


class PageOut(Schema):
    title: str
    html: str


@router.get("/challenges", response=Paged[ChallengeOut], url_name="list-challenges")
def list_challenges(request: HttpRequest, page: PageQuery) -> dict[str, Any]:
    """List visible challenges, including drafts in which you have a role."""
    rows = Challenge.objects.exclude(current=None).select_related("current").order_by("-created", "-id")
    seen = ~Q(visibility=Challenge.Visibility.DRAFT)
    if isinstance(request.user, User) and not request.user.is_superuser:
        rows = rows.filter(seen | Q(pk__in=request.user.roles.values("challenge")))
    elif not isinstance(request.user, User):
        rows = rows.filter(seen)
    return page_of(rows, page, shown_challenge)


@router.get("/challenges/{challenge}", response=ChallengeWholeOut, url_name="challenge")
def get_challenge(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    found, _, bundle = published(request.subject)
    terms = terms_of(bundle)
    return {
        **shown_challenge(found),
        "phases": shown_phases(request),
        "terms": {"text": terms.text, "digest": terms.digest} if terms else None,
        "pages": [page.title for page in bundle.pages],
        "questions": [vars(question) for question in bundle.fact_sheet],
    }


@router.get("/challenges/{challenge}/versions", response=Paged[VersionOut], url_name="challenge-versions")
def challenge_versions(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    """List versions with their changes, newest first."""
    rows = request.subject.versions.select_related("published_by", "challenge").order_by("-number")
    return page_of(rows, page, shown_version)


@router.get("/challenges/{challenge}/pages", response=list[PageOut], url_name="challenge-pages")
def challenge_pages(request: Request[Challenge], challenge: str) -> list[dict[str, Any]]:
    """The pages as sanitized HTML."""
    found, version, bundle = published(request.subject)
    return [
        {"title": page.title, "html": rendered_page(found, version, index)} for index, page in enumerate(bundle.pages)
    ]


@router.get("/challenges/{challenge}/phases", response=list[PhaseOut], url_name="challenge-phases")
def challenge_phases(request: Request[Challenge], challenge: str) -> list[dict[str, Any]]:
    return shown_phases(request)


@router.get(
    "/challenges/{challenge}/announcements", response=Paged[AnnouncementOut], url_name="challenge-announcements"
)
def challenge_announcements(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    rows = request.subject.announcements.select_related("author").order_by("-created", "-id")
    return page_of(rows, page, shown_announcement)


@router.get(
    "/challenges/{challenge}/data/{int:phase}/{kind}",
    url_name="challenge-download",
    openapi_extra=answers("application/octet-stream", "application/zip"),
)
def challenge_download(request: Request[Challenge], challenge: str, phase: int, kind: str) -> HttpResponseBase:
    """Download a starting kit, public data or sample cases, as listed in the phase's `downloads`."""
    found, _, bundle = published(request.subject)
    return download_response(bundle, found.slug, phase, kind, visible_until(request.relations))
