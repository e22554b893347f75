"""Reversible decisions of organizers on a submission: hidden or shown, disqualified or not."""

from django.db import transaction
from django.utils import timezone

from palio.core.errors import PalioError
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Submission, User
from palio.web.verbs import events, notices

REASON_CHARACTERS = 500


def hide(submission: Submission, actor: User) -> None:
    """Hide it from the leaderboard. Does nothing if it is already hidden."""
    _set_hidden(submission, actor, hidden=True)


def unhide(submission: Submission, actor: User) -> None:
    _set_hidden(submission, actor, hidden=False)


def disqualify(submission: Submission, actor: User, reason: str) -> None:
    """Remove its rank, for a reason that the team can read. Raises PalioError "reason-missing", "reason-too-long"."""
    reason = reason.replace("\0", "").strip()  # PostgreSQL cannot store NUL
    if not reason:
        raise PalioError("reason-missing")
    if len(reason) > REASON_CHARACTERS:
        raise PalioError("reason-too-long", count=f"{len(reason):,}", limit=f"{REASON_CHARACTERS:,}")
    with transaction.atomic():
        submission = Submission.objects.select_for_update().get(pk=submission.pk)
        if submission.disqualified == reason:
            return
        submission.disqualified = reason
        submission.save(update_fields=["disqualified"])
        mark_changed(submission.challenge)
        events.record("submission.disqualified", actor=actor, submission=submission, reason=reason)
        notices.judged(submission, at=timezone.now())


def reinstate(submission: Submission, actor: User) -> None:
    """Undo a disqualification."""
    with transaction.atomic():
        submission = Submission.objects.select_for_update().get(pk=submission.pk)
        if not submission.disqualified:
            return
        reason, submission.disqualified = submission.disqualified, ""
        submission.save(update_fields=["disqualified"])
        mark_changed(submission.challenge)
        events.record("submission.reinstated", actor=actor, submission=submission, reason=reason)
        notices.judged(submission, at=timezone.now())


def _set_hidden(submission: Submission, actor: User, *, hidden: bool) -> None:
    with transaction.atomic():
        submission = Submission.objects.select_for_update().get(pk=submission.pk)
        if (submission.hidden is not None) is hidden:
            return
        submission.hidden = timezone.now() if hidden else None
        submission.save(update_fields=["hidden"])
        mark_changed(submission.challenge)
        events.record("submission.hidden" if hidden else "submission.shown", actor=actor, submission=submission)
