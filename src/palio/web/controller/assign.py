"""From a row of the database to what `core.evaluate` needs to know."""

from palio.core import attempt as core
from palio.core.bundle.model import Phase, Rules, SubmissionKind
from palio.core.collect import name_refusal
from palio.core.errors import PalioError
from palio.core.input_copies import InputCopies
from palio.core.phases import pick_task
from palio.core.submission import Submission
from palio.web.bundles import bundle_of, phase_named
from palio.web.controller.held import Assignment
from palio.web.controller.slots import share_of
from palio.web.folders import Folders
from palio.web.models import Attempt, StoredFile
from palio.web.store import file_path


def assignment(row: Attempt, folders: Folders, engine: str | None = None) -> Assignment:
    """Raises PalioError for a bundle that cannot be read, or a phase that cannot be evaluated."""
    bundle, phase = bundle_of(row.version), _phase(row)
    submission = _submission(row.submission.file, folders)
    scored_only = row.source is not None or submission.kind is SubmissionKind.RESULTS
    return Assignment(
        core.Attempt(row.identity, submission, bundle, phase, pick_task(phase), row.submission.team.name),
        folders.runs / row.identity,
        engine or row.engine,
        share_of(phase.rules, scored_only=scored_only),
        InputCopies(folders.inputs),
        folders.runs / row.source.identity / "predictions" if row.source is not None else None,
    )


def rules_of(row: Attempt) -> Rules:
    return _phase(row).rules


def _phase(row: Attempt) -> Phase:
    bundle = bundle_of(row.version)
    phase = phase_named(bundle, row.submission.phase)
    if phase is None:
        names = ", ".join(f"“{each.name}”" for each in bundle.phases)
        raise PalioError("phase-unknown", phase=row.submission.phase, phases=names)
    return phase


def _submission(file: StoredFile, folders: Folders) -> Submission:
    """Known by what was found when it was handed in; nothing of its content is read again."""
    called = file.name if name_refusal([file.name]) is None and "/" not in file.name else "submission"
    return Submission(
        file_path(folders, file.sha256), SubmissionKind(file.kind), file.sha256, tuple(file.notes), called
    )
