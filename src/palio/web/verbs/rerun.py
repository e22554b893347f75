"""Re-runs and re-scores of a single submission, for organizers."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from palio.core.attempt.states import ENDS, State
from palio.core.errors import PalioError
from palio.web.models import Attempt, Challenge, ChallengeVersion, Purpose, StoredFile, Submission, User
from palio.web.storage.files import current_store
from palio.web.verbs import events


def rerun(submission: Submission, actor: User) -> Attempt:
    """Run all stages again with the current version. If it is scored, the new score counts.

    Raises PalioError "submission-unfinished", "submission-withdrawn" or "rerun-file-deleted".
    """
    with transaction.atomic():
        submission = lock_idle(submission)
        file = StoredFile.objects.select_for_update().get(pk=submission.file_id)
        if file.deleted is not None or not current_store().has(file.sha256):
            raise PalioError("rerun-file-deleted", name=file.name)
        return _queue(submission, actor, Purpose.RERUN, None)


def rescore_one(submission: Submission, actor: User) -> Attempt:
    """Score the predictions of an earlier attempt again with the current version.

    Raises PalioError "submission-unfinished", "submission-withdrawn" or "predictions-gone".
    """
    with transaction.atomic():
        submission = lock_idle(submission)
        source = with_predictions(submission)
        if source is None:
            raise PalioError("predictions-gone")
        return _queue(submission, actor, Purpose.RESCORE, source)


def lock_idle(submission: Submission) -> Submission:
    """The locked row of a submission without an unfinished attempt."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if submission.attempts.filter(rescore=None).exclude(state__in=[*ENDS]).exists():
        raise PalioError("submission-unfinished")
    if submission.withdrawn is not None:
        raise PalioError("submission-withdrawn")
    return submission


def with_predictions(submission: Submission) -> Attempt | None:
    """The attempt whose predictions to score: the one that counts, else the latest one that has predictions."""
    ended = submission.attempts.filter(state__in=[State.SCORED, State.FAILED], rescore=None).order_by("-number")
    candidates = ([submission.counted] if submission.counted else []) + [
        attempt for attempt in ended if attempt.state == State.SCORED or _failed_at(attempt) == State.SCORE
    ]
    return next((attempt for attempt in candidates if _has_predictions(attempt)), None)


def current_version(challenge: Challenge) -> ChallengeVersion:
    if challenge.current is None:
        raise ValueError(f"{challenge.slug} has no version yet")
    return challenge.current


def next_number(submission: Submission) -> int:
    """The number of its next attempt; the submission's row must be locked."""
    last = submission.attempts.order_by("-number").first()
    return last.number + 1 if last else 1


def _failed_at(attempt: Attempt) -> str | None:
    stage: str | None = attempt.failure.get("stage") if attempt.failure else None
    return stage


def _has_predictions(attempt: Attempt) -> bool:
    folder = settings.FOLDERS.runs / attempt.identity / "predictions"
    return folder.is_dir() and any(folder.iterdir())


def _queue(submission: Submission, actor: User, purpose: Purpose, source: Attempt | None) -> Attempt:
    attempt = Attempt.objects.create(
        submission=submission,
        number=next_number(submission),
        purpose=purpose,
        version=current_version(submission.challenge),
        source=source,
        not_before=timezone.now(),
    )
    events.record("attempt.moved", actor=actor, attempt=attempt, new=State.QUEUED, why=purpose)
    return attempt
