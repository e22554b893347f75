"""A submission as its team may see it, for pages and API: state, stages, failure, visible scores.

Everything comes from the rows and from the run folder's `participant/`; while an attempt runs, stages and logs come
from `core.redaction.participant_view`, which follows the same rules.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from palio.core.attempt.run_folder import RunFolder, Stage
from palio.core.attempt.states import RUNNING, State
from palio.core.attempt.waiting import read_waiting
from palio.core.bundle.feedback import sentence
from palio.core.bundle.leaderboards import primary_of, score_columns
from palio.core.bundle.model import LogPolicy, Phase
from palio.core.bundle.pick_phase import find_phase
from palio.core.errors import Cause, party
from palio.core.files.log import harmless
from palio.core.files.untrusted import UnreadableFileError, open_untrusted
from palio.core.leaderboard.ranking import Entry
from palio.core.quantities import MIB
from palio.core.redaction import participant_view
from palio.web.leaderboard.entries import read_shown
from palio.web.leaderboard.visibility import hides_scores, visible_columns
from palio.web.models import Attempt, Rescore, StoredFile, Submission
from palio.web.queries.queue import place_of
from palio.web.storage.bundles import bundle_of, current_bundle
from palio.web.verbs.choose import choice_of
from palio.web.verbs.quota import cancelling_counts

# Visible attempts: not those of a re-score that may still be discarded.
LIVE = Q(rescore=None) | Q(rescore__state=Rescore.State.APPLIED)
_LOG_BYTES = 16 * MIB
_REPORT_BYTES = 32 * MIB
# A report is untrusted HTML: no scripts, no forms, no navigation, no external resources.
REPORT_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}


def run_folder(attempt: Attempt) -> RunFolder:
    return RunFolder(settings.FOLDERS.runs / attempt.identity)


def latest_attempt(submission: Submission) -> Attempt | None:
    """The latest attempt, except those of a re-score that is not applied."""
    return submission.attempts.filter(LIVE).select_related("version").order_by("-number").first()


def shown_file(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.pk,
        "name": file.name,
        "kind": file.kind,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "notes": file.notes,
        "facts": dict(file.facts),
        "origin": file.origin,
        "created": file.created,
        "deleted": file.deleted,
    }


def with_action_needed(failure: Mapping[str, Any] | None, *, own: bool) -> dict[str, Any] | None:
    """With `action_needed`: the responsible party in words, for the submission's own team or for other readers."""
    if failure is None:
        return None
    return {**failure, "action_needed": party(Cause(failure["cause"]), Cause.PARTICIPANT if own else None)}


def shown_submission(submission: Submission, *, own: bool = True, full: bool = False) -> dict[str, Any]:
    """For lists, without stages. `own`: the user belongs to its team. `full`: with exact scores, for viewers, scorers
    and organizers.
    """
    attempt = latest_attempt(submission)
    failure = attempt.failure_shown if attempt is not None and attempt.state == State.FAILED else None
    return {
        "id": submission.pk,
        "challenge": submission.challenge.slug,
        "phase": submission.phase,
        "team": submission.team.name,
        "user": submission.user.username,
        "file": shown_file(submission.file),
        "note": submission.note,
        "answers": submission.answers,
        "created": submission.created,
        "state": attempt.state if attempt else State.QUEUED,
        "ended": attempt.ended if attempt else False,
        "cancelling": bool(attempt and attempt.cancel_requested and not attempt.ended),
        "charged": submission.charged,
        "withdrawn": submission.withdrawn,
        "chosen": submission.chosen,
        "disqualified": submission.disqualified,
        "scores": shown_scores(submission, attempt, full=full),
        "scores_hidden": scores_hidden(attempt),
        "feedback": feedback(attempt) or None,
        "failure": with_action_needed(failure, own=own),
    }


def shown_whole(submission: Submission, *, own: bool = True, full: bool = False) -> dict[str, Any]:
    """Everything its team may know; `full`: with the names of all logs and attempts, and exact scores, for
    viewers, scorers and organizers.
    """
    attempt = latest_attempt(submission)
    bundle = bundle_of(attempt.version) if attempt else current_bundle(submission.challenge)
    return shown_submission(submission, own=own, full=full) | {
        "attempt": shown_attempt(attempt, full=full) if attempt else None,
        "attempts": [_shown_summary(each, submission) for each in attempts_of(submission, full=full)],
        "cancel_counts": cancelling_counts(attempt),
        "place": _shown_place(attempt) if attempt else None,
        "waiting": shown_waiting(attempt) if attempt else None,
        "choice": vars(choice) if (choice := choice_of(submission)) else None,
        "columns": [
            {
                "key": column.key,
                "title": column.title,
                "descending": column.descending,
                "precision": column.precision,
            }
            for column in visible_columns(bundle, find_phase(bundle, submission.phase))
        ],
    }


def _shown_place(attempt: Attempt) -> dict[str, Any] | None:
    place = place_of(attempt)
    if place is None:
        return None
    return {"number": place.number, "of": place.of, "wait_s": place.wait.total_seconds() if place.wait else None}


def shown_waiting(attempt: Attempt) -> dict[str, Any] | None:
    """That the engine holds its job back until there is room for it; None if it does not."""
    waiting = read_waiting(run_folder(attempt).root) if State(attempt.state) in RUNNING else None
    return {"position": waiting.position} if waiting else None


def built_image(attempt: Attempt) -> str | None:
    """The engine's name for the image that was built or loaded; None if there is none."""
    try:
        image = run_folder(attempt).read_json("result.json")["stages"].get(Stage.BUILD.value, {}).get("image")
        return str(image) if image else None
    except (OSError, ValueError, KeyError):
        return None


def used_substitute(attempt: Attempt) -> dict[str, str] | None:
    """The bundle's image and its substitute; None if its own image was used, or none."""
    try:
        image = run_folder(attempt).read_json("lock.json").get("image")
    except (OSError, ValueError, AttributeError):
        return None
    return {"name": image["name"], "substitute": image["substitute"]} if image and image["substitute"] else None


def scorer_of(attempt: Attempt) -> str | None:
    """The digest of the scoring program that its receipt states; several tasks may have several. None if unknown."""
    try:
        lock = run_folder(attempt).read_json("lock.json")
        programs = [task.get("scoring_program") for task in lock.get("tasks") or [lock]]
        digests = dict.fromkeys(each["digest"][:12] for each in programs if each)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None
    return ", ".join(digests) or None


def shown_attempt(attempt: Attempt, *, full: bool = False) -> dict[str, Any]:
    retried = attempt.state == State.QUEUED and attempt.not_before > timezone.now() + timedelta(seconds=1)
    return {
        "identity": attempt.identity,
        "number": attempt.number,
        "purpose": attempt.purpose,
        "state": attempt.state,
        "engine": attempt.engine,
        "substitute": used_substitute(attempt),
        "created": attempt.created,
        "not_before": attempt.not_before if retried else None,
        "started": attempt.started,
        "moved": attempt.moved,
        "finished": attempt.finished,
        "stages": participant_view.visible_stages(run_folder(attempt)),
        "logs": log_names(attempt, full=full),
    }


def _shown_summary(attempt: Attempt, submission: Submission) -> dict[str, Any]:
    return {
        "identity": attempt.identity,
        "number": attempt.number,
        "purpose": attempt.purpose,
        "state": attempt.state,
        "failure_code": attempt.failure_code or None,
        "created": attempt.created,
        "started": attempt.started,
        "finished": attempt.finished,
        "version": attempt.version.number,
        "counts": attempt.identity == submission.counted_id,
    }


def shown_scores(submission: Submission, attempt: Attempt | None, *, full: bool = False) -> dict[str, float] | None:
    """Scores by column key, in column order; None if there are none, or none to show. `full`: exact ones."""
    standing = submission.counted or attempt
    if standing is None or standing.scores is None:
        return None
    bundle = bundle_of(standing.version)
    columns = visible_columns(bundle, find_phase(bundle, submission.phase))
    scores = standing.scores if full else _readable_scores(submission, standing)
    return {column.key: scores[column.key] for column in columns if column.key in scores} if scores else None


def _readable_scores(submission: Submission, standing: Attempt) -> Mapping[str, float]:
    """As the feedback rule of the current version allows; empty if it does not show this submission."""
    scores: Mapping[str, float] = standing.scores or {}
    phase = _phase_now(standing)
    if phase is None or phase.rules.feedback.is_exact:
        return scores
    entry = Entry(
        submission.pk,
        submission.created,
        scores,
        submission.team_id,
        standing.identity,
        baseline=submission.baseline,
    )
    primary = primary_of(current_bundle(submission.challenge), phase)
    (shown,) = read_shown(submission.challenge, phase, primary, [entry], submission.team)
    return shown.scores


def feedback(attempt: Attempt | None) -> str:
    """What participants see of the scores of its phase, in a sentence; empty if exact scores."""
    phase = _phase_now(attempt) if attempt else None
    return sentence(phase.rules.feedback) if phase else ""


def scores_hidden(attempt: Attempt | None) -> bool:
    """Whether the phase hides scores under the current version: there may be scores, but teams see none."""
    phase = _phase_now(attempt) if attempt else None
    return phase is not None and hides_scores(phase)


def log_names(attempt: Attempt, *, full: bool = False) -> list[str]:
    """The stages whose logs exist and may be read, in order. `full`: by viewers, scorers and organizers."""
    folder, phase = run_folder(attempt), _phase(attempt)
    if full:
        return [stage.value for stage in Stage if folder.log(stage).is_file()]
    if attempt.ended:
        found = [stage for stage in Stage if _shown_log_path(folder, stage.value).is_file()]
        return [stage.value for stage in found if _may_read(attempt, stage)]
    if phase is None:
        return []
    rules, readable = phase.rules, {LogPolicy.TAIL, LogPolicy.FULL}
    policies = {
        Stage.BUILD: LogPolicy.FULL,
        Stage.SAMPLE: rules.logs_sample,
        Stage.PREDICT: rules.logs_predict,
        Stage.SCORE: rules.logs_score,
    }
    return [stage.value for stage in Stage if policies[stage] in readable and folder.log(stage).is_file()]


def shown_log(attempt: Attempt, stage: Stage) -> str | None:
    """The part of a log that the phase's policy shows, also while the stage runs; None if nothing."""
    folder = run_folder(attempt)
    if not _may_read(attempt, stage):
        return None
    if attempt.ended:
        path = _shown_log_path(folder, stage.value)
        return path.read_text(encoding="utf-8") if path.is_file() else None
    phase = _phase(attempt)
    if phase is None or not folder.root.is_dir():
        return None
    return participant_view.visible_log(folder, stage, phase.rules)


def full_log(attempt: Attempt, stage: Stage) -> str | None:
    """The full log, for viewers, scorers and organizers; None if there is none."""
    try:
        with open_untrusted(run_folder(attempt).log(stage)) as file:
            return harmless(file.read(_LOG_BYTES))
    except (OSError, UnreadableFileError):
        return None


def attempts_of(submission: Submission, *, full: bool) -> list[Attempt]:
    """All attempts, oldest first. The team sees those of a re-score once it is applied."""
    rows = submission.attempts.select_related("rescore", "version").order_by("number")
    return list(rows if full else rows.filter(LIVE))


def receipt_path(attempt: Attempt | None, *, full: bool) -> Path | None:
    """The signed receipt; None if there is none. `full`: for viewers, scorers and organizers.

    A signed receipt cannot be redacted: if it contains scores that are hidden from the team, the team does not get it.
    """
    if attempt is None or not attempt.ended or not (full or _may_see_all_scores(attempt)):
        return None
    path = run_folder(attempt).root / "receipt.json"
    return path if path.is_file() else None


def report_path(attempt: Attempt | None, *, full: bool) -> Path | None:
    """The report of the scoring program; None if there is none. `full` as above."""
    if attempt is None or not attempt.ended:
        return None
    phase = _phase_now(attempt)
    if not full and (
        phase is None or not phase.rules.feedback.is_exact or phase.hide_output or phase.hide_score_output
    ):
        return None
    path = run_folder(attempt).report
    return path if path.is_file() else None


def report_html(submission: Submission, *, full: bool) -> bytes | None:
    """The report on the scores that count; None if there is none, or none for this user.

    Send it with REPORT_HEADERS, which sandbox it.
    """
    path = report_path(submission.counted or latest_attempt(submission), full=full)
    if path is None:
        return None
    try:
        with open_untrusted(path) as file:
            return file.read(_REPORT_BYTES)
    except (OSError, UnreadableFileError):
        return None


def _may_see_all_scores(attempt: Attempt) -> bool:
    bundle = bundle_of(attempt.version)
    columns = score_columns(bundle, find_phase(bundle, attempt.submission.phase))
    hidden = {column.key for column in columns if column.hidden}
    phase = _phase_now(attempt)
    is_exact = phase is None or phase.rules.feedback.is_exact
    return is_exact and hidden.isdisjoint(attempt.scores or ())


def _may_read(attempt: Attempt, stage: Stage) -> bool:
    """The log of a scoring program may contain scores. Its phase may have been exact when the log was written."""
    phase = _phase_now(attempt) if stage is Stage.SCORE else None
    return phase is None or phase.rules.feedback.is_exact


def _phase(attempt: Attempt) -> Phase | None:
    """The phase that it was evaluated with."""
    return find_phase(bundle_of(attempt.version), attempt.submission.phase)


def _phase_now(attempt: Attempt) -> Phase | None:
    """The phase of the current version, which decides which scores are shown; else the one it was evaluated with."""
    submission = attempt.submission
    return find_phase(current_bundle(submission.challenge), submission.phase) or _phase(attempt)


def _shown_log_path(folder: RunFolder, name: str) -> Path:
    return folder.root / participant_view.NAME / f"{name}.log"
