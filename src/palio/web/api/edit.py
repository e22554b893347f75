"""Edits of dates, limits and texts of a challenge."""

from typing import Any

from ninja import Router, Schema, Status
from pydantic import Field

from palio.core.bundle.edit import Edit
from palio.web.api.challenge_schemas import ChangeOut, VersionOut, shown_version
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, ChallengeVersion
from palio.web.verbs import edit_bundle

router = Router(tags=["dashboard"])


class EditIn(Schema):
    """`phases`: by name, new values of start, end, max_submissions_per_day, max_submissions, build_time, build_memory,
    predict_time, predict_memory, predict_cpus, score_time, score_memory and score_cpus; an empty one means no limit.
    `texts`: new content by the file of a page, or `terms`.
    """

    phases: dict[str, dict[str, str]] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)


class EditPublishIn(EditIn):
    """`base`: the number of the version that is edited. `confirm`: publish although somebody could be harmed."""

    base: int
    reason: str
    confirm: bool = False


class ReviewOut(Schema):
    """`harms`: sentences on what the edit would do to participants. `base`: the version that it was compared with."""

    base: int
    changes: list[ChangeOut]
    harms: list[str]


@router.post("/challenges/{challenge}/manage/edit/review", response=ReviewOut, url_name="review-edit")
def review_edit(request: Request[Challenge], challenge: str, content: EditIn) -> Any:
    """Say what an edit of dates, limits and texts would change. Nothing is published."""
    return edit_bundle.review(request.subject, Edit(content.phases, content.texts), actor=signed_in(request))


@router.post("/challenges/{challenge}/manage/edit", response={201: VersionOut}, url_name="edit-challenge")
def edit_challenge(request: Request[Challenge], challenge: str, content: EditPublishIn) -> Status[Any]:
    """Publish an edit of dates, limits and texts as the next version."""
    done = edit_bundle.apply(
        request.subject,
        Edit(content.phases, content.texts),
        base=content.base,
        reason=content.reason,
        confirm=content.confirm,
        actor=signed_in(request),
    )
    version = ChallengeVersion.objects.select_related("challenge", "published_by").get(pk=done.version.pk)
    return Status(201, shown_version(version))
