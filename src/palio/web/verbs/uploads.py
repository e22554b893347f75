"""Uploads: announced with size, name and digest, sent from first byte to last, resumed after any interruption.

An announcement that repeats an earlier one finds that upload and its bytes. `verbs.receive_chunk` appends a chunk, and
`verbs.complete_upload` turns the upload into a file.
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

CHUNK_BYTES = 16 * MIB  # what Palio's own clients send at a time: at most this much is lost with a connection
MOST_UNFINISHED = 30  # of one team
KEPT = timedelta(days=1)  # after its last byte, an unfinished upload
_DIGEST = re.compile(r"[0-9a-f]{64}")


def most_bytes(phase: Phase | None = None) -> int:
    """The largest file accepted: the platform's limit, or the phase's limit for an image if that is lower."""
    limit: int = settings.CONFIGURATION.max_upload_bytes
    return min(limit, phase.rules.build.size_bytes) if phase else limit


def begin_upload(
    team: Team,
    user: User,
    *,
    name: str,
    size_bytes: int,
    sha256: str,
    phase: Phase | None = None,
) -> Upload:
    """Returns the upload to send bytes to, which may have some already; its `file` is set if the team has that file.

    Raises PalioError: "digest-invalid", "file-empty", "file-too-large", "uploads-unfinished", "storage-full".
    """
    name = plain_name(name)
    if not _DIGEST.fullmatch(sha256):
        raise PalioError("digest-invalid")
    refuse_size(name, size_bytes, phase)
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)  # two announcements of one file become one upload
        file = StoredFile.objects.filter(team=team, sha256=sha256, deleted=None).first()
        same = Upload.objects.filter(team=team, sha256=sha256, name=name, size_bytes=size_bytes)
        if upload := same.filter(file=file).first():
            return upload
        if file is None:
            _refuse_many(team)
            UploadFolder.refuse_full(size_bytes)
        return Upload.objects.create(team=team, user=user, name=name, size_bytes=size_bytes, sha256=sha256, file=file)


def refuse_size(name: str, size_bytes: int, phase: Phase | None = None) -> None:
    if size_bytes < 1:
        raise PalioError("file-empty", name=name)
    if size_bytes > (most := most_bytes(phase)):
        raise PalioError("file-too-large", name=name, size=size_text(size_bytes), limit=size_text(most))


def offset_of(upload: Upload) -> int:
    """The number of bytes that have arrived; the next chunk starts there."""
    return upload.size_bytes if upload.file_id is not None else UploadFolder.of(upload).arrived_bytes


def expires(upload: Upload) -> datetime:
    return max(upload.created, UploadFolder.of(upload).touched() or upload.created) + KEPT


def abandon_upload(upload: Upload) -> None:
    """Removes the upload and its bytes. A file that was made from it stays."""
    folder = UploadFolder.of(upload)  # before the row loses its id
    upload.delete()
    folder.remove()


def remove_abandoned(now: datetime | None = None) -> int:
    """Removes expired uploads, and leftovers of forms and killed processes; returns how many. For the controller."""
    now = now or timezone.now()
    latest, removed = now - KEPT, 0
    for upload in Upload.objects.filter(created__lt=latest):
        if expires(upload) < now:
            abandon_upload(upload)
            removed += 1
    known = set(Upload.objects.values_list("id", flat=True))
    for path in settings.FOLDERS.uploads.iterdir():  # leftovers
        if path.name not in known and datetime.fromtimestamp(path.stat().st_mtime, latest.tzinfo) < latest:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            removed += 1
    return removed


def _refuse_many(team: Team) -> None:
    unfinished = Upload.objects.filter(team=team, file=None).count()
    if unfinished >= MOST_UNFINISHED:
        raise PalioError("uploads-unfinished", count=counted(unfinished, "unfinished upload"))
