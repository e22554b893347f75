"""Challenges: what they are, publishing them, what everybody reads of them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from palio.core.bundle.model import Phase
from palio.web.access.rules import VIEWER
from palio.web.api.paging import Page, PageQuery, page_of
from palio.web.api.receiving import received
from palio.web.bundles import bundle_of
from palio.web.downloads import downloads
from palio.web.models import Announcement, Challenge, ChallengeVersion, User
from palio.web.pages.challenge_files import seen_until, send
from palio.web.pages.challenges import rendered_page, shown
from palio.web.pages.doing import signed_in
from palio.web.templatetags.challenge import state_of
from palio.web.verbs import challenge_settings
from palio.web.verbs.joining import terms_of
from palio.web.verbs.publish import Publication
from palio.web.verbs.receive_bundle import publish_archive

router = Router(tags=["challenges"])
_ZIP: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ChallengeOut(Schema):
    slug: str
    title: str
    description: str
    visibility: str
    joining: str
    version: int
    digest: str


class PhaseOut(Schema):
    """`state` is `open`, `soon` or `closed`; numbers that are null are without a limit."""

    index: int
    name: str
    description: str
    state: str
    opens: datetime
    closes: datetime | None
    submissions_a_day: int | None
    submissions_in_all: int | None
    kinds: list[str]
    data: str
    limits: dict[str, dict[str, float | bool]]
    logs: dict[str, str]
    downloads: list[str]


class TermsOut(Schema):
    """`digest` is what joining takes, to say which text was accepted."""

    text: str
    digest: str


class ChallengeWholeOut(ChallengeOut):
    phases: list[PhaseOut]
    terms: TermsOut | None
    pages: list[str]


class ChangeOut(Schema):
    what: str
    old: str
    new: str


class VersionOut(Schema):
    number: int
    digest: str
    title: str
    note: str
    published: datetime
    published_by: str | None
    current: bool
    changes: list[ChangeOut]


class PublishedOut(Schema):
    """`is_new` is false where the bundle is what was published already, and nothing was done."""

    challenge: ChallengeOut
    version: VersionOut
    is_new: bool
    warnings: list[str]


class PageOut(Schema):
    title: str
    html: str


class AnnouncementOut(Schema):
    title: str
    text: str
    author: str
    created: datetime


class SettingsIn(Schema):
    visibility: Literal["draft", "published", "archived"] | None = None
    joining: Literal["open", "approval", "invitation"] | None = None


@router.get("/challenges", response=Page[ChallengeOut], url_name="list-challenges")
def list_challenges(request: HttpRequest, page: PageQuery) -> dict[str, Any]:
    """Those that everybody sees, and the drafts that you help with."""
    rows = Challenge.objects.exclude(current=None).select_related("current").order_by("-created", "-id")
    seen = ~Q(visibility=Challenge.Visibility.DRAFT)
    if isinstance(request.user, User) and not request.user.is_superuser:
        rows = rows.filter(seen | Q(pk__in=request.user.roles.values("challenge")))
    elif not isinstance(request.user, User):
        rows = rows.filter(seen)
    return page_of(rows, page, _brief)


@router.post(
    "/challenges", response={201: PublishedOut, 200: PublishedOut}, url_name="publish-challenge", openapi_extra=_ZIP
)
def publish_challenge(
    request: HttpRequest,
    name: Annotated[str, Query(max_length=255)] = "bundle.zip",
    slug: Annotated[str | None, Query(max_length=60)] = None,
    draft: bool = False,
    note: Annotated[str, Query(max_length=5000)] = "",
) -> Status[Any]:
    """Publishes the bundle that is sent as a zip: a new challenge, or a new version of one that you organize."""
    with received(request) as archive:
        done = publish_archive(archive, name, actor=signed_in(request), slug=slug, draft=draft, note=note)
    return _published(done)


@router.get("/challenges/{challenge}", response=ChallengeWholeOut, url_name="get-challenge")
def get_challenge(request: HttpRequest, challenge: str) -> dict[str, Any]:
    found, _, bundle = shown(request)
    terms = terms_of(bundle)
    return {
        **_brief(found),
        "phases": _phases(request),
        "terms": {"text": terms.text, "digest": terms.digest} if terms else None,
        "pages": [page.title for page in bundle.pages],
    }


@router.patch("/challenges/{challenge}", response=ChallengeOut, url_name="change-challenge")
def change_challenge(request: HttpRequest, challenge: str, content: SettingsIn) -> dict[str, Any]:
    """Who sees it, and how one joins it."""
    found, actor = _challenge(request), signed_in(request)
    if content.joining is not None:
        found = challenge_settings.set_joining(found, content.joining, actor=actor)
    if content.visibility is not None:
        found = challenge_settings.set_visibility(found, content.visibility, actor=actor)
    return _brief(found)


@router.get("/challenges/{challenge}/versions", response=Page[VersionOut], url_name="challenge-versions")
def challenge_versions(request: HttpRequest, challenge: str, page: PageQuery) -> dict[str, Any]:
    """The newest first, each with what it has changed."""
    rows = _challenge(request).versions.select_related("published_by", "challenge").order_by("-number")
    return page_of(rows, page, _version)


@router.post(
    "/challenges/{challenge}/versions",
    response={201: PublishedOut, 200: PublishedOut},
    url_name="publish-version",
    openapi_extra=_ZIP,
)
def publish_version(
    request: HttpRequest,
    challenge: str,
    name: Annotated[str, Query(max_length=255)] = "bundle.zip",
    draft: bool = False,
    note: Annotated[str, Query(max_length=5000)] = "",
) -> Status[Any]:
    """Publishes the bundle that is sent as a zip as the next version."""
    slug = _challenge(request).slug
    with received(request) as archive:
        done = publish_archive(archive, name, actor=signed_in(request), slug=slug, draft=draft, note=note)
    return _published(done)


@router.get("/challenges/{challenge}/pages", response=list[PageOut], url_name="challenge-pages")
def challenge_pages(request: HttpRequest, challenge: str) -> list[dict[str, Any]]:
    """Rendered and sanitized, as they are shown."""
    found, version, bundle = shown(request)
    return [
        {"title": page.title, "html": rendered_page(found, version, index)} for index, page in enumerate(bundle.pages)
    ]


@router.get("/challenges/{challenge}/phases", response=list[PhaseOut], url_name="challenge-phases")
def challenge_phases(request: HttpRequest, challenge: str) -> list[dict[str, Any]]:
    return _phases(request)


@router.get("/challenges/{challenge}/announcements", response=Page[AnnouncementOut], url_name="challenge-announcements")
def challenge_announcements(request: HttpRequest, challenge: str, page: PageQuery) -> dict[str, Any]:
    rows = _challenge(request).announcements.select_related("author").order_by("-created", "-id")
    return page_of(rows, page, _announcement)


@router.get("/challenges/{challenge}/data/{int:phase}/{kind}", url_name="challenge-download")
def challenge_download(request: HttpRequest, challenge: str, phase: int, kind: str) -> HttpResponseBase:
    """A starting kit, public data or sample cases, as the phase's `downloads` name them."""
    found, _, bundle = shown(request)
    return send(bundle, found.slug, phase, kind, seen_until(request))


def _challenge(request: HttpRequest) -> Challenge:
    challenge: Challenge = request.subject  # type: ignore[attr-defined]
    return challenge


def _brief(challenge: Challenge) -> dict[str, Any]:
    version = challenge.current
    if version is None:
        raise Http404
    return {
        "slug": challenge.slug,
        "title": version.title,
        "description": bundle_of(version).description,
        "visibility": challenge.visibility,
        "joining": challenge.joining,
        "version": version.number,
        "digest": version.digest,
    }


def _phases(request: HttpRequest) -> list[dict[str, Any]]:
    _, _, bundle = shown(request)
    until = None if VIEWER & request.relations else timezone.now()  # type: ignore[attr-defined]
    offered = [(download.phase.index, download.kind) for download in downloads(bundle, until)]
    return [
        _phase(phase) | {"downloads": [kind for index, kind in offered if index == phase.index]}
        for phase in bundle.phases
    ]


def _phase(phase: Phase) -> dict[str, Any]:
    rules = phase.rules
    return {
        "index": phase.index,
        "name": phase.name,
        "description": phase.description,
        "state": state_of(phase, timezone.now()),
        "opens": phase.start,
        "closes": phase.end,
        "submissions_a_day": phase.max_submissions_per_day,
        "submissions_in_all": phase.max_submissions,
        "kinds": [kind.value for kind in rules.submissions],
        "data": rules.data,
        "limits": {"build": vars(rules.build), "predict": vars(rules.predict), "score": vars(rules.score)},
        "logs": {
            "sample": rules.logs_sample.value,
            "predict": rules.logs_predict.value,
            "score": rules.logs_score.value,
        },
    }


def _version(version: ChallengeVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "digest": version.digest,
        "title": version.title,
        "note": version.note,
        "published": version.published,
        "published_by": version.published_by.username if version.published_by else None,
        "current": version.challenge.current_id == version.pk,
        "changes": version.changes,
    }


def _published(done: Publication) -> Status[Any]:
    challenge = Challenge.objects.select_related("current").get(pk=done.version.challenge_id)
    version = ChallengeVersion.objects.select_related("challenge", "published_by").get(pk=done.version.pk)
    content = {
        "challenge": _brief(challenge),
        "version": _version(version),
        "is_new": done.is_new,
        "warnings": list(done.warnings),
    }
    return Status(201 if done.is_new else 200, content)


def _announcement(said: Announcement) -> dict[str, Any]:
    return {"title": said.title, "text": said.text, "author": said.author.username, "created": said.created}
