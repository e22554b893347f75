"""Publishing bundles and changing the settings of a challenge.

Uses the router of `api.challenges`, because the URLs are the same: of two routers, Django would only ask the first.
"""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Schema, Status

from palio.web.api.challenge_schemas import ChallengeOut, VersionOut, shown_challenge, shown_version
from palio.web.api.challenges import router
from palio.web.api.request_body import received
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, ChallengeVersion
from palio.web.verbs import challenge_settings
from palio.web.verbs.publish import Publication
from palio.web.verbs.upload_bundle import publish_archive

__all__ = ["router"]

_ZIP: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class PublishedOut(Schema):
    """`is_new` is false if the bundle was already published and nothing was done."""

    challenge: ChallengeOut
    version: VersionOut
    is_new: bool
    warnings: list[str]


class SettingsIn(Schema):
    visibility: Literal["draft", "published", "archived"] | None = None
    joining: Literal["open", "approval", "invitation"] | None = None


@router.post("/challenges", response={201: PublishedOut, 200: PublishedOut}, url_name="publish", openapi_extra=_ZIP)
def publish_challenge(
    request: HttpRequest,
    name: Annotated[str, Query(max_length=255)] = "bundle.zip",
    slug: Annotated[str | None, Query(max_length=60)] = None,
    draft: bool = False,
    note: Annotated[str, Query(max_length=5000)] = "",
    accept_findings: Annotated[str, Query(max_length=2000)] = "",
) -> Status[Any]:
    """Publish the bundle in the body, a zip, as a new challenge, or as a new version of a challenge you organize.

    `accept_findings` is the reason why serious findings of the data audit are acceptable; without it, they are refused.
    """
    return _publish(request, name, slug, draft=draft, note=note, accept_findings=accept_findings)


@router.post(
    "/challenges/{challenge}/versions",
    response={201: PublishedOut, 200: PublishedOut},
    url_name="publish-version",
    openapi_extra=_ZIP,
)
def publish_version(
    request: Request[Challenge],
    challenge: str,
    name: Annotated[str, Query(max_length=255)] = "bundle.zip",
    draft: bool = False,
    note: Annotated[str, Query(max_length=5000)] = "",
    accept_findings: Annotated[str, Query(max_length=2000)] = "",
) -> Status[Any]:
    """Publish the bundle in the body, a zip, as the next version."""
    return _publish(request, name, request.subject.slug, draft=draft, note=note, accept_findings=accept_findings)


@router.patch("/challenges/{challenge}", response=ChallengeOut, url_name="change-challenge")
def change_challenge(request: Request[Challenge], challenge: str, content: SettingsIn) -> dict[str, Any]:
    """Change who can see the challenge and how people join it."""
    found, actor = request.subject, signed_in(request)
    if content.joining is not None:
        found = challenge_settings.set_joining(found, content.joining, actor=actor)
    if content.visibility is not None:
        found = challenge_settings.set_visibility(found, content.visibility, actor=actor)
    return shown_challenge(found)


def _publish(request: HttpRequest, name: str, slug: str | None, **how: Any) -> Status[Any]:
    with received(request) as archive:
        return _published(publish_archive(archive, name, actor=signed_in(request), slug=slug, **how))


def _published(done: Publication) -> Status[Any]:
    challenge = Challenge.objects.select_related("current").get(pk=done.version.challenge_id)
    version = ChallengeVersion.objects.select_related("challenge", "published_by").get(pk=done.version.pk)
    content = {
        "challenge": shown_challenge(challenge),
        "version": shown_version(version),
        "is_new": done.is_new,
        "warnings": list(done.warnings),
    }
    return Status(201 if done.is_new else 200, content)
