"""Who sees a challenge, and how one joins it."""

from django.db import transaction

from palio.core.errors import PalioError
from palio.web.models import Challenge, User
from palio.web.verbs import events

SAYS = {
    Challenge.Visibility.DRAFT: "only its organizers see it",
    Challenge.Visibility.PUBLISHED: "everybody sees it",
    Challenge.Visibility.ARCHIVED: "everybody can read it, and nothing more can be handed in",
}
JOINING_SAYS = {
    Challenge.Joining.OPEN: "whoever accepts the terms takes part",
    Challenge.Joining.APPROVAL: "an organizer approves each person",
    Challenge.Joining.INVITATION: "only who follows an organizer's link takes part",
}


def set_visibility(challenge: Challenge, visibility: str, *, actor: User) -> Challenge:
    """Raises PalioError where people would lose what they see, or there is nothing to see yet."""
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
    """For those who come from now on; who takes part already stays."""
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
