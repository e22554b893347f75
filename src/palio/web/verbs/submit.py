"""Submits a team's file to a phase; every submission reaches an end state."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from palio.core.attempt.run_folder import Verdict
from palio.core.attempt.states import ENDS, State
from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.errors import PalioError
from palio.core.submission.fact_sheet import checked_answers
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Attempt, Challenge, StoredFile, Submission, Team, User
from palio.web.storage.bundles import bundle_of
from palio.web.verbs import counters, events
from palio.web.verbs.engine_support import refuse_now
from palio.web.verbs.joining import needs_terms, registration_of
from palio.web.verbs.quota import CANCEL_ASKED, cancelling_counts
from palio.web.verbs.submission_limits import refuse_to_submit

NOTE_CHARACTERS = 500


@dataclass(frozen=True)
class Submitted:
    """A submission, and notes for its team."""

    submission: Submission
    notes: tuple[str, ...]


def submit(
    file: StoredFile,
    user: User,
    *,
    phase_name: str | None = None,
    note: str = "",
    answers: Mapping[str, object] | None = None,
) -> Submitted:
    """Create the submission and its first attempt, which waits for a slot.

    Without a name, the open phase is used. If several requests compete for a team's last submission, one gets it.
    Raises PalioError for what `verbs.submission_limits` refuses, "file-deleted", "note-too-long", "answers-invalid".
    """
    note = note.replace("\0", "").strip()  # PostgreSQL cannot store NUL
    if len(note) > NOTE_CHARACTERS:
        raise PalioError("note-too-long", count=f"{len(note):,}", limit=f"{NOTE_CHARACTERS:,}")
    with transaction.atomic():
        team = Team.objects.select_for_update().get(pk=file.team_id)  # other requests of the team wait here
        challenge = Challenge.objects.select_related("current").get(pk=team.challenge_id)
        file.refresh_from_db()
        if file.deleted is not None:
            raise PalioError("file-deleted", name=file.name)
        _refuse_without_terms(challenge, user)
        version = challenge.current
        if version is None:
            raise ValueError(f"{challenge.slug} has no version yet")
        bundle = bundle_of(version)
        phase = pick_phase(bundle, phase_name, timezone.now())
        refuse_to_submit(team, phase, file)
        refuse_now(user, SubmissionKind(file.kind), phase)
        checked = checked_answers(bundle.fact_sheet, answers or {})
        earlier = Submission.objects.filter(team=team, phase=phase.name, file__sha256=file.sha256).order_by("-created")
        notes = [*file.notes, *(_known(before) for before in earlier[:1])]
        submission = Submission.objects.create(
            challenge=challenge, phase=phase.name, team=team, user=user, file=file, note=note, answers=checked
        )
        attempt = Attempt.objects.create(submission=submission, number=1, version=version)
        events.record("submission.created", actor=user, submission=submission, phase=phase.name, file=file.id)
        events.record("attempt.moved", actor=user, attempt=attempt, new=State.QUEUED, why="submitted")
    return Submitted(submission, tuple(notes))


def cancel(submission: Submission, user: User, *, counts: bool = False) -> Attempt:
    """Cancel the unfinished attempt: at once if it waits, otherwise through the controller. Can be repeated.

    `counts` confirms that the cancellation may count toward the limit, if verbs.quota says so. Raises PalioError
    "submission-finished", and "cancel-counts" if it would count without confirmation.
    """
    with transaction.atomic():
        attempt = (
            Attempt.objects.select_for_update()
            .filter(submission=submission, rescore=None)
            .exclude(state__in=[*ENDS])
            .first()
        )
        if attempt is None:
            raise PalioError("submission-finished")
        if attempt.cancel_requested is None:
            does_count = cancelling_counts(attempt)
            if does_count and not counts:
                raise PalioError("cancel-counts")
            attempt.cancel_requested = timezone.now()
            events.record(CANCEL_ASKED, actor=user, attempt=attempt, counts=does_count)
        if attempt.state == State.QUEUED:  # it has not started
            attempt.state = State.CANCELLED
            attempt.moved = attempt.finished = attempt.cancel_requested
            events.record(
                "attempt.moved", actor=user, attempt=attempt, old=State.QUEUED, new=State.CANCELLED, why="cancelled"
            )
        attempt.save()
        if attempt.ended:
            counters.count_finished(Verdict.CANCELLED)
    return attempt


def withdraw(submission: Submission, user: User) -> None:
    """Withdraw it from the leaderboard for good; it still counts toward the limit. Can be repeated.

    Raises PalioError "submission-unfinished".
    """
    with transaction.atomic():
        submission = Submission.objects.select_for_update().get(pk=submission.pk)
        if submission.attempts.filter(rescore=None).exclude(state__in=[*ENDS]).exists():
            raise PalioError("submission-unfinished")
        if submission.withdrawn is None:
            submission.withdrawn = timezone.now()
            submission.save(update_fields=["withdrawn"])
            mark_changed(submission.challenge)
            events.record("submission.withdrawn", actor=user, submission=submission)


def lacks_terms(challenge: Challenge, user: User) -> bool:
    """Whether the terms have changed since this person accepted them."""
    registration = registration_of(challenge, user)
    return registration is not None and needs_terms(registration)


def _refuse_without_terms(challenge: Challenge, user: User) -> None:
    if lacks_terms(challenge, user):
        raise PalioError("terms-changed")


def _known(before: Submission) -> str:
    attempt = before.counted or before.attempts.order_by("-number").first()
    end = f"which ended as {attempt.state}" if attempt else "which has no attempt"
    return f"this file was submitted to this phase before, on {before.created:%Y-%m-%d at %H:%M} UTC, {end}"
