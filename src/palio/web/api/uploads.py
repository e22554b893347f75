"""Files on their way in, by the tus protocol; docs/submitting.md has the whole conversation."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated, Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from ninja import Header, Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import Field

from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.errors import PalioError
from palio.web.api import tus
from palio.web.api.files import FileOut
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Upload
from palio.web.queries.submission import shown_file
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import complete_upload as completing
from palio.web.verbs import fetch_source as fetching
from palio.web.verbs import uploads
from palio.web.verbs.receive_chunk import append_chunk
from palio.web.verbs.teams import require_team

router = Router(tags=["uploads"])

# Checking a large file holds a thread; some are left for everything else.
_at_once = BoundedSemaphore(max(1, settings.CONFIGURATION.threads - 4))

Bytes = Annotated[int, Field(ge=0, le=2**63 - 1)]
_CHUNK = {"requestBody": {"content": {tus.CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}


class CompleteIn(Schema):
    """`kind`: by default detected from the content and from what the phase takes. `phase`: its name, if known."""

    kind: SubmissionKind | None = None
    phase: str | None = None


class SourceIn(Schema):
    """`source`: an image such as `ghcr.io/lab/model:v1`, or a tag such as `https://github.com/lab/model@v1.2`.
    `kind` and `phase` as for an upload; an image by reference is always of kind `reference`.
    """

    source: str = Field(max_length=fetching.SOURCE_CHARACTERS)
    kind: SubmissionKind | None = None
    phase: str | None = None


@router.api_operation(["OPTIONS"], "/challenges/{challenge}/uploads", response={204: None}, url_name="upload-options")
@decorate_view(tus.speaks_tus)
def upload_options(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Returns the tus versions, extensions and limits of this platform as headers."""
    return HttpResponse(status=204, headers=tus.abilities())


@router.post("/challenges/{challenge}/uploads", response={201: None}, url_name="create-upload")
@decorate_view(tus.speaks_tus)
def create_upload(
    request: Request[Challenge],
    challenge: str,
    upload_length: Annotated[Bytes, Header()],
    upload_metadata: Annotated[str, Header()] = "",
) -> HttpResponse:
    """Announces a file with its `filename` and `sha256`; announced again, it finds the same upload."""
    subject, user = request.subject, signed_in(request)
    metadata = tus.read_metadata(upload_metadata)
    phase = pick_phase(current_bundle(subject), metadata["phase"]) if metadata.get("phase") else None
    upload = uploads.begin_upload(
        require_team(subject, user),
        user,
        name=metadata.get("filename", ""),
        size_bytes=upload_length,
        sha256=metadata.get("sha256", ""),
        phase=phase,
    )
    location = reverse("api:get-upload", args=[upload.pk])
    return HttpResponse(status=201, headers={"Location": location, **tus.state(upload)})


@router.api_operation(["HEAD"], "/uploads/{upload}", response={200: None}, url_name="get-upload")
@decorate_view(tus.speaks_tus)
def get_upload(request: Request[Upload], upload: str) -> HttpResponse:
    """Returns the number of bytes that have arrived, as `Upload-Offset`."""
    return HttpResponse(headers=tus.state(request.subject))


@router.patch("/uploads/{upload}", response={204: None}, url_name="append-to-upload", openapi_extra=_CHUNK)
@decorate_view(tus.speaks_tus)
def append_to_upload(
    request: Request[Upload],
    upload: str,
    upload_offset: Annotated[Bytes, Header()],
    upload_checksum: Annotated[str | None, Header()] = None,
) -> HttpResponse:
    """Appends the body, which starts at `Upload-Offset`."""
    tus.refuse_other_type(request)
    checksum = tus.read_checksum(upload_checksum) if upload_checksum else None
    with _one_of_few():
        size_bytes = int(request.META.get("CONTENT_LENGTH") or 0)
        append_chunk(request.subject, upload_offset, size_bytes, request, checksum)
    return HttpResponse(status=204, headers=tus.state(request.subject))


@router.delete("/uploads/{upload}", response={204: None}, url_name="delete-upload")
@decorate_view(tus.speaks_tus)
def delete_upload(request: Request[Upload], upload: str) -> HttpResponse:
    """Removes the upload and its bytes. A file that was made from it stays."""
    uploads.abandon_upload(request.subject)
    return HttpResponse(status=204)


@router.post("/uploads/{upload}/complete", response=FileOut, url_name="complete-upload")
def complete_upload(request: Request[Upload], upload: str, content: CompleteIn) -> dict[str, Any]:
    """Checks the whole file and keeps it as a file of the team. Repeating the call returns the same file."""
    user = signed_in(request)
    phase = pick_phase(current_bundle(request.subject.team.challenge), content.phase) if content.phase else None
    with _one_of_few():
        return shown_file(completing.complete_upload(request.subject, user, content.kind, phase))


@router.post("/challenges/{challenge}/sources", response={201: FileOut}, url_name="fetch-source")
def fetch_source(request: Request[Challenge], challenge: str, content: SourceIn) -> Status[dict[str, Any]]:
    """Pins an image by reference, or fetches the files at a tag of a Git repository, and keeps it as a file of the
    team, ready to be submitted. Repeating the call returns the same file, unless the tag has moved.
    """
    subject, user = request.subject, signed_in(request)
    phase = pick_phase(current_bundle(subject), content.phase) if content.phase else None
    with _one_of_few():
        file = fetching.fetch_source(require_team(subject, user), user, content.source, phase, content.kind)
    return Status(201, shown_file(file))


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _at_once.acquire(blocking=False):
        raise PalioError("uploads-busy")
    try:
        yield
    finally:
        _at_once.release()
