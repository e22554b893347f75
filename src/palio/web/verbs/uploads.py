"""A file comes in, in chunks: announced, sent in any order and several at a time, gone on with after anything.

The announcement names size, digest and name; whoever announces the same again goes on with what is there. The rows say
which chunks are there, and a row is only written for bytes that are. `verbs.receiving` takes a chunk, and
`verbs.completing` makes a file of them.
"""

import re
import shutil
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from palio.core.bundle.model import Phase
from palio.core.errors import PalioError, counted
from palio.core.quantities import MIB, size_text
from palio.web.models import StoredFile, Team, Upload, User
from palio.web.storage.upload_folder import UploadFolder, plain_name

CHUNK_BYTES = 16 * MIB
MOST_CHUNKS = 10_000
MOST_UNFINISHED = 30  # of one team
KEPT = timedelta(days=1)  # how long an upload that nobody goes on with
_LEAST_CHUNK, MOST_CHUNK = 1024, 64 * MIB
_DIGEST = re.compile(r"[0-9a-f]{64}")


def most_bytes(phase: Phase | None = None) -> int:
    """The largest file that is taken: the platform's limit, and what the phase allows an image to be."""
    limit: int = settings.CONFIGURATION.max_upload_bytes
    return min(limit, phase.rules.build.size_bytes) if phase else limit


def begin_upload(
    team: Team,
    user: User,
    *,
    name: str,
    size_bytes: int,
    sha256: str,
    chunk_bytes: int = CHUNK_BYTES,
    phase: Phase | None = None,
) -> Upload:
    """The upload to send chunks to, which may have some already; one with `file` set if the team has that file."""
    name = plain_name(name)
    if not _DIGEST.fullmatch(sha256):
        raise PalioError("digest-invalid")
    refuse_size(name, size_bytes, phase)
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)  # so that two announcements of one file become one upload
        file = StoredFile.objects.filter(team=team, sha256=sha256, deleted=None).first()
        same = Upload.objects.filter(team=team, sha256=sha256, name=name, size_bytes=size_bytes)
        if upload := same.filter(file=file).first():
            return upload
        if file is None:
            _refuse_many(team)
            UploadFolder.refuse_full(size_bytes)
        chunk_bytes = min(max(chunk_bytes, _LEAST_CHUNK), MOST_CHUNK)
        return Upload.objects.create(
            team=team,
            user=user,
            name=name,
            size_bytes=size_bytes,
            sha256=sha256,
            chunk_bytes=max(chunk_bytes, -(-size_bytes // MOST_CHUNKS)),
            file=file,
        )


def largest_chunk() -> int:
    return max(MOST_CHUNK, -(-most_bytes() // MOST_CHUNKS))


def refuse_size(name: str, size_bytes: int, phase: Phase | None = None) -> None:
    if size_bytes < 1:
        raise PalioError("file-empty", name=name)
    if size_bytes > (most := most_bytes(phase)):
        raise PalioError("file-too-large", name=name, size=size_text(size_bytes), limit=size_text(most))


def present(upload: Upload) -> list[int]:
    """The chunks that are there, by index."""
    return list(upload.chunks.order_by("index").values_list("index", flat=True))


def abandon_upload(upload: Upload) -> None:
    """Removes what came in of it. A file that was made of it stays."""
    folder = UploadFolder.of(upload)  # named by what the row forgets
    upload.delete()
    folder.remove()


def remove_abandoned(now: datetime | None = None) -> int:
    """Removes what nobody has gone on with for a day, and what was left over; returns how many. For the controller."""
    latest = (now or timezone.now()) - KEPT
    removed = 0
    for upload in Upload.objects.filter(created__lt=latest):
        touched = UploadFolder.of(upload).touched()
        if touched is None or touched < latest:
            abandon_upload(upload)
            removed += 1
    known = set(Upload.objects.values_list("id", flat=True))
    for path in settings.FOLDERS.uploads.iterdir():  # of a form, or of a process that was killed in between
        if path.name not in known and datetime.fromtimestamp(path.stat().st_mtime, latest.tzinfo) < latest:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            removed += 1
    return removed


def _refuse_many(team: Team) -> None:
    unfinished = Upload.objects.filter(team=team, file=None).count()
    if unfinished >= MOST_UNFINISHED:
        raise PalioError("uploads-unfinished", count=counted(unfinished, "unfinished upload"))
