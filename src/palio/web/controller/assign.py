"""Builds the assignment of a worker from database rows. Reads no file contents."""

from pathlib import Path

from django.conf import settings

from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.substitutes import NONE as NO_SUBSTITUTES
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.files.collect import name_refusal
from palio.core.submission.kinds import SubmissionFile
from palio.web.config.data_folder import Folders
from palio.web.controller.assignment import Assignment
from palio.web.models import Attempt
from palio.web.storage.files import bundle_path, file_path
from palio.web.verbs import registry_accounts

FETCHED = "submitted"  # the folder in `.work`


def assignment(
    row: Attempt,
    folders: Folders,
    engine: str | None = None,
    substitutes: Substitutes = NO_SUBSTITUTES,
    identity: str = "",
) -> Assignment:
    """With `identity`, in a run folder of that name."""
    folder = folders.runs / (identity or row.identity)
    return Assignment(
        identity=identity or row.identity,
        submission=_submission_file(row, folders, folder),
        bundle=bundle_path(folders, row.version.digest),
        phase=row.submission.phase,
        label=row.submission.team.name,
        folder=folder,
        engine=engine or row.engine,
        copies=folders.inputs,
        submission_id=row.submission_id,
        substitutes=substitutes,
        store_url=settings.CONFIGURATION.store_url,
        version=row.version.number,
        rescored=row.source.identity if row.source is not None else "",
        collected=folders.runs / row.source.identity / "predictions" if row.source is not None else None,
        registry_account=_registry_account(row),
    )


def is_only_scored(row: Attempt) -> bool:
    return row.source is not None or row.submission.file.kind == SubmissionKind.RESULTS


def _registry_account(row: Attempt) -> tuple[str, str, str] | None:
    file = row.submission.file
    if file.kind != SubmissionKind.REFERENCE or is_only_scored(row):
        return None
    registry = file.origin["source"].partition("/")[0]
    found = registry_accounts.credential(row.submission.team, registry)
    return None if found is None else (registry, found.username, found.secret)


def _submission_file(row: Attempt, folders: Folders, folder: Path) -> SubmissionFile:
    """The file as it was recognized when it was submitted, and where it is or will be fetched to."""
    file, path = row.submission.file, file_path(folders, row.submission.file.sha256)
    if settings.CONFIGURATION.store_url:
        path = folder / ".work" / FETCHED / file.sha256
    called = file.name if name_refusal([file.name]) is None and "/" not in file.name else "submission"
    return SubmissionFile(path, SubmissionKind(file.kind), file.sha256, tuple(file.notes), called)
