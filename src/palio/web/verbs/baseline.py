"""Marks a submission as a baseline: a reference entry with its own row, outside its team."""

from django.db import transaction

from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Submission, User
from palio.web.verbs import events


def set_baseline(submission: Submission, actor: User, *, baseline: bool) -> None:
    """Does nothing if it is already so."""
    with transaction.atomic():
        locked = Submission.objects.select_for_update().get(pk=submission.pk)
        if locked.baseline is baseline:
            return
        locked.baseline = baseline
        locked.save(update_fields=["baseline"])
        mark_changed(locked.challenge)
        kind = "submission.marked-baseline" if baseline else "submission.unmarked-baseline"
        events.record(kind, actor=actor, submission=locked)
