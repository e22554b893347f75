"""Visibility of a challenge, and how people join it."""

from django.db import transaction
from django.utils.translation import gettext_noop

from palio.core.errors import PalioError
from palio.web.models import Challenge, User
from palio.web.verbs import events

SAYS = {
    Challenge.Visibility.DRAFT: gettext_noop("visible only to its organizers"),
    Challenge.Visibility.PUBLISHED: gettext_noop("visible to everyone"),
    Challenge.Visibility.ARCHIVED: gettext_noop("visible to everyone, read-only: no new submissions"),
}
JOINING_SAYS = {
    Challenge.Joining.OPEN: gettext_noop("anyone who accepts the terms can join"),
    Challenge.Joining.APPROVAL: gettext_noop("an organizer reviews each join request"),
    Challenge.Joining.INVITATION: gettext_noop("only people with an invitation link can join"),
}


def set_visibility(challenge: Challenge, visibility: str, *, actor: User) -> Challenge:
    """Raises PalioError if participants would lose access, or if nothing is published yet."""
    wanted = _one_of(Challenge.Visibility, visibility)
    with transaction.atomic():
        locked = Challenge.objects.select_for_update().get(pk=challenge.pk)
        if wanted == locked.visibility:
            return locked
        if wanted == Challenge.Visibility.DRAFT and locked.submissions.exists():
            raise PalioError("challenge-in-use")
        if wanted != Challenge.Visibility.DRAFT and locked.current is None:
            raise PalioError("challenge-empty")
        before, locked.visibility = locked.visibility, wanted
        locked.save(update_fields=["visibility"])
        events.record("challenge.shown", actor=actor, challenge=locked, before=before, visibility=wanted)
    return locked


def set_joining(challenge: Challenge, joining: str, *, actor: User) -> Challenge:
    """Applies to new participants; existing ones stay."""
    wanted = _one_of(Challenge.Joining, joining)
    with transaction.atomic():
        locked = Challenge.objects.select_for_update().get(pk=challenge.pk)
        if wanted != locked.joining:
            before, locked.joining = locked.joining, wanted
            locked.save(update_fields=["joining"])
            events.record("challenge.joining", actor=actor, challenge=locked, before=before, joining=wanted)
    return locked


def _one_of(choices: type[Challenge.Visibility] | type[Challenge.Joining], word: str) -> str:
    if word not in choices.values:
        allowed = ", ".join(f"`{value}`" for value in choices.values)
        raise PalioError("value-unknown", value=word, allowed=allowed)
    return word
