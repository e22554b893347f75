"""Turns an upload into a file of the team: digest and content are checked, and the bytes get into the store."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from palio.core.bundle.model import Phase, Rules, SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.errors import Cause, PalioError
from palio.core.files.digest import digest_file
from palio.web.models import StoredFile, Team, Upload, User
from palio.web.reading.bounded import SUBMISSION, SUBMISSIONS, read_bounded
from palio.web.reading.readers import read_submitted
from palio.web.storage.bundles import current_bundle
from palio.web.storage.files import current_store, store_changing
from palio.web.storage.upload_folder import UploadFolder, room
from palio.web.verbs import events
from palio.web.verbs.uploads import abandon_upload, offset_of, refuse_size

# The bytes are good, and may be completed as another kind.
_ABOUT_KIND = {"submission-unknown", "submission-fits-none", "dockerfile-missing"}


def complete_upload(
    upload: Upload, user: User, kind: SubmissionKind | None = None, phase: Phase | None = None
) -> StoredFile:
    """Returns the team's file. Repeating the call returns the same file.

    Its kind is the given one, or is detected from the content and from what the phase takes; by default the open phase.

    Raises PalioError: "upload-incomplete", "upload-damaged", "upload-locked", "file-kind-differs"; and PalioError
    with whatever core.submission finds wrong with the file.
    """
    folder = UploadFolder.of(upload)
    with folder.alone():
        upload.refresh_from_db()
        if upload.file is not None:
            folder.remove()
            return _of_kind(upload.file, kind, phase)
        if (offset := offset_of(upload)) < upload.size_bytes:
            raise PalioError("upload-incomplete", arrived=f"{offset:,}", size=f"{upload.size_bytes:,}")
        if digest_file(folder.content) != upload.sha256:
            abandon_upload(upload)
            raise PalioError("upload-damaged", name=upload.name, evidence=[f"announced: {upload.sha256}"])
        try:
            file = _keep(upload.team, user, folder.content, upload.sha256, kind, phase, upload)
        except PalioError as error:
            if error.failure.cause is not Cause.PLATFORM and error.failure.code not in _ABOUT_KIND:
                abandon_upload(upload)
            raise
    folder.remove()
    return file


def take_whole(
    team: Team, user: User, given: "UploadedFile[Any]", kind: SubmissionKind | None = None, phase: Phase | None = None
) -> StoredFile:
    """The same for a file that a form has sent in one piece."""
    folder = UploadFolder.of_form(given.name or "")
    refuse_size(folder.name, given.size or 0, phase)
    try:
        with room():
            folder.make()
            if hasattr(given, "temporary_file_path"):
                os.link(given.temporary_file_path(), folder.content)
            else:
                with folder.content.open("wb") as target:
                    shutil.copyfileobj(given, target)
        return _keep(team, user, folder.content, digest_file(folder.content), kind, phase, None)
    finally:
        folder.remove()


def take_fetched(
    team: Team,
    user: User,
    content: Path,
    origin: Mapping[str, str],
    kind: SubmissionKind | None = None,
    phase: Phase | None = None,
) -> StoredFile:
    """The same for a file that the platform has fetched; `origin` as in StoredFile."""
    refuse_size(content.name, content.stat().st_size, phase)
    return _keep(team, user, content, digest_file(content), kind, phase, None, origin)


def _keep(
    team: Team,
    user: User,
    content: Path,
    sha256: str,
    kind: SubmissionKind | None,
    phase: Phase | None,
    upload: Upload | None,
    origin: Mapping[str, str] | None = None,
) -> StoredFile:
    found, notes, facts = _checked(team, content, content.name, sha256, kind, phase)
    if found is SubmissionKind.REFERENCE and origin is None:  # what it says has not been checked
        reason = "a reference to an image, which is not uploaded; submit the image's name instead"
        raise PalioError("submission-unknown", name=content.name, reason=reason)
    store = current_store()
    with room():
        store.keep(content, sha256)  # which may take minutes, and nobody has to wait for it
    with room(), store_changing(settings.FOLDERS), transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        file = StoredFile.objects.filter(team=team, sha256=sha256, deleted=None).first()
        if file is None:
            store.keep(content, sha256)  # again, if the last team that had it has deleted it meanwhile
            file = StoredFile.objects.create(
                team=team,
                name=content.name,
                kind=found,
                size_bytes=content.stat().st_size,
                sha256=sha256,
                notes=notes,
                facts=facts,
                origin=dict(origin or {}),
                created_by=user,
            )
            where = {"origin": file.origin} if file.origin else {}
            events.record(
                "file.kept",
                actor=user,
                challenge=team.challenge,
                file=file.id,
                sha256=sha256,
                of_kind=file.kind,
                **where,
            )
        if upload is not None:
            upload.file = file
            upload.save(update_fields=["file"])
    return _of_kind(file, kind, phase)


def _checked(
    team: Team, content: Path, name: str, sha256: str, kind: SubmissionKind | None, phase: Phase | None
) -> tuple[SubmissionKind, list[str], list[list[str]]]:
    rules = _rules(team, phase)
    with SUBMISSIONS.taken_by(team.pk):
        found, notes, facts = read_bounded(
            read_submitted,
            str(content),
            name,
            kind,
            sha256,
            list(rules.submissions),
            list(rules.monai.classes),
            bounds=SUBMISSION,
            code="submission-unreadable",
            name=name,
            folder=content.parent,
        )
    return SubmissionKind(found), notes, facts


def _rules(team: Team, phase: Phase | None) -> Rules:
    """The rules of the phase; without one, of the phase to which `submit` would submit now."""
    phase = phase or pick_phase(current_bundle(team.challenge), None, timezone.now())
    return phase.rules


def for_phase(file: StoredFile, phase: Phase) -> StoredFile:
    """The same file for another phase, whose kinds may decide what it is."""
    return _of_kind(file, None, phase)


def _of_kind(file: StoredFile, kind: SubmissionKind | None, phase: Phase | None) -> StoredFile:
    """The file, if it is of the wanted kind. Its kind is detected again for a phase that does not take the present one,
    unless a submission depends on it.
    """
    if kind is not None and file.kind != kind:
        raise PalioError("file-kind-differs", kind=file.kind, wanted=kind)
    accepted = _rules(file.team, phase).submissions
    if kind is None and file.kind not in accepted and not file.submissions.exists():
        folder = UploadFolder.of_form(file.name)
        try:
            with room():
                content = current_store().local(file.sha256, folder.root)
            found, notes, facts = _checked(file.team, content, file.name, file.sha256, None, phase)
        finally:
            folder.remove()
        if found in accepted:
            file.kind, file.notes, file.facts = found, notes, facts
            file.save(update_fields=["kind", "notes", "facts"])
    return file
