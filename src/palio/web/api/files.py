"""A team's files: uploaded once, submitted as often as the limits allow."""

from datetime import datetime
from typing import Any

from ninja import Router, Schema, Status

from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, StoredFile
from palio.web.queries.submission import built_image, latest_attempt, shown_file, shown_scores
from palio.web.queries.submissions import files_of
from palio.web.verbs import files
from palio.web.verbs.teams import require_team

router = Router(tags=["files"])


class FileOut(Schema):
    """`notes`: accepted irregularities. `facts`: what was recognized in it, by name. `origin`: where the platform
    fetched it, with the tag and what it was pinned to; empty for an uploaded file.
    """

    id: str
    name: str
    kind: str
    size_bytes: int
    sha256: str
    notes: list[str]
    facts: dict[str, str]
    origin: dict[str, str]
    created: datetime
    deleted: datetime | None


class FileSubmissionOut(Schema):
    id: str
    phase: str
    created: datetime
    state: str
    image: str | None  # the engine's name for the image built from it
    scores: dict[str, float] | None


class FileWithSubmissionsOut(FileOut):
    submissions: list[FileSubmissionOut]


@router.get("/challenges/{challenge}/files", response=Paged[FileWithSubmissionsOut], url_name="list-files")
def list_files(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    """List your team's files and their submissions, newest first."""
    team = require_team(request.subject, signed_in(request))
    return page_of(files_of(team), page, _shown)


@router.get("/files/{file}", response=FileWithSubmissionsOut, url_name="get-file")
def get_file(request: Request[StoredFile], file: str) -> dict[str, Any]:
    return _shown(request.subject)


@router.post("/files/{file}/delete", response={204: None}, url_name="delete-file")
def delete_file(request: Request[StoredFile], file: str) -> Status[None]:
    """Delete the content; its submissions are kept."""
    files.delete_file(request.subject, signed_in(request))
    return Status(204, None)


def _shown(file: StoredFile) -> dict[str, Any]:
    submissions = []
    for submission in file.submissions.all():
        attempt = latest_attempt(submission)
        submissions.append(
            {
                "id": submission.pk,
                "phase": submission.phase,
                "created": submission.created,
                "state": attempt.state if attempt else "queued",
                "image": built_image(attempt) if attempt else None,
                "scores": shown_scores(submission, attempt),
            }
        )
    return shown_file(file) | {"submissions": submissions}
