"""Files on their way in, in hashed chunks; see docs/submitting.md for the whole conversation."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated, Any

from django.conf import settings
from ninja import Header, Router, Schema, Status
from pydantic import Field

from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.errors import PalioError
from palio.web.api.files import FileOut
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Upload
from palio.web.queries.submission import shown_file
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import complete_upload as completing
from palio.web.verbs import receive_chunk, uploads
from palio.web.verbs.teams import require_team

router = Router(tags=["uploads"])

# Whoever sends slowly, or has a large file checked, holds a thread for as long; some are left for everything else.
_at_once = BoundedSemaphore(max(1, settings.CONFIGURATION.threads - 4))


class UploadIn(Schema):
    name: str = Field(min_length=1, max_length=1000)
    size_bytes: int = Field(ge=0, le=2**63 - 1)
    sha256: str
    chunk_bytes: int = Field(uploads.CHUNK_BYTES, ge=1, le=2**31 - 1)
    phase: str | None = None  # whose limit of size it is for


class UploadOut(Schema):
    """`present` are the chunks that are there; `file` what became of it."""

    id: str
    name: str
    size_bytes: int
    sha256: str
    chunk_bytes: int
    chunk_count: int
    present: list[int]
    file: FileOut | None


class CompleteIn(Schema):
    kind: SubmissionKind | None = None


@router.post("/challenges/{challenge}/uploads", response={201: UploadOut}, url_name="begin-upload")
def begin_upload(request: Request[Challenge], challenge: str, content: UploadIn) -> Status[Any]:
    """Announces a file, or goes on with one that was announced; what is there already need not be sent."""
    subject, user = request.subject, signed_in(request)
    phase = pick_phase(current_bundle(subject), content.phase) if content.phase else None
    upload = uploads.begin_upload(
        require_team(subject, user),
        user,
        name=content.name,
        size_bytes=content.size_bytes,
        sha256=content.sha256,
        chunk_bytes=content.chunk_bytes,
        phase=phase,
    )
    return Status(201, _shown(upload))


@router.get("/uploads/{upload}", response=UploadOut, url_name="get-upload")
def get_upload(request: Request[Upload], upload: str) -> dict[str, Any]:
    """Which chunks are there."""
    return _shown(request.subject)


@router.put(
    "/uploads/{upload}/chunks/{index}",
    response={204: None},
    url_name="put-chunk",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def put_chunk(
    request: Request[Upload], upload: str, index: int, x_chunk_sha256: Annotated[str, Header(pattern="^[0-9a-f]{64}$")]
) -> Status[None]:
    """Sends one chunk as it is, in any order and several at a time; sent again, it does no harm."""
    with _one_of_few():
        receive_chunk.put_chunk(request.subject, index, x_chunk_sha256, request)
    return Status(204, None)


@router.post("/uploads/{upload}/complete", response=FileOut, url_name="complete-upload")
def complete_upload(request: Request[Upload], upload: str, content: CompleteIn) -> dict[str, Any]:
    """Checks the whole and keeps it as a file of the team. Asked again, it answers the same."""
    user = signed_in(request)
    with _one_of_few():
        return shown_file(completing.complete_upload(request.subject, user, content.kind))


@router.post("/uploads/{upload}/abandon", response={204: None}, url_name="abandon-upload")
def abandon_upload(request: Request[Upload], upload: str) -> Status[None]:
    uploads.abandon_upload(request.subject)
    return Status(204, None)


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _at_once.acquire(blocking=False):
        raise PalioError("uploads-busy")
    try:
        yield
    finally:
        _at_once.release()


def _shown(upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.pk,
        "name": upload.name,
        "size_bytes": upload.size_bytes,
        "sha256": upload.sha256,
        "chunk_bytes": upload.chunk_bytes,
        "chunk_count": upload.chunk_count,
        "present": uploads.present(upload),
        "file": shown_file(upload.file) if upload.file else None,
    }
