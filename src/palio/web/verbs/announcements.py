"""Announcements of organizers."""

from django.db import transaction

from palio.core.errors import PalioError
from palio.web.models import Announcement, Challenge, User
from palio.web.reading.typed_markdown import is_readable
from palio.web.verbs import events, notices

TITLE_CHARACTERS, TEXT_CHARACTERS = 200, 20_000


def announce(challenge: Challenge, title: str, text: str, *, actor: User) -> Announcement:
    """Raises PalioError "announcement-incomplete" or "announcement-too-long"."""
    title, text = checked(title, text)
    with transaction.atomic():
        made = Announcement.objects.create(challenge=challenge, title=title, text=text, author=actor)
        events.record(
            "announcement.made", actor=actor, challenge=challenge, announcement=made.pk, title=title, text=text
        )
        notices.announced(made)
    return made


def rewrite(announcement: Announcement, title: str, text: str, *, actor: User) -> Announcement:
    """Edit an announcement; the event records the previous text."""
    title, text = checked(title, text)
    with transaction.atomic():
        locked = Announcement.objects.select_for_update().get(pk=announcement.pk)
        before = {"title": locked.title, "text": locked.text}
        if (locked.title, locked.text) == (title, text):
            return locked
        locked.title, locked.text = title, text
        locked.save(update_fields=["title", "text"])
        events.record(
            "announcement.changed",
            actor=actor,
            challenge=locked.challenge,
            announcement=locked.pk,
            title=title,
            text=text,
            before=before,
        )
    return locked


def delete(announcement: Announcement, *, actor: User) -> None:
    with transaction.atomic():
        locked = Announcement.objects.select_for_update().filter(pk=announcement.pk).first()
        if locked is None:
            return
        events.record(
            "announcement.deleted",
            actor=actor,
            challenge=locked.challenge,
            announcement=locked.pk,
            title=locked.title,
            text=locked.text,
        )
        locked.delete()


def checked(title: str, text: str, incomplete: str = "announcement-incomplete") -> tuple[str, str]:
    """Both as they are stored. Raises PalioError: `incomplete`, "announcement-too-long" or "-too-complex"."""
    title, text = (each.replace("\0", "").strip() for each in (title, text))  # PostgreSQL cannot store NUL
    if not title or not text:
        raise PalioError(incomplete)
    for what, given, most in (("title", title, TITLE_CHARACTERS), ("text", text, TEXT_CHARACTERS)):
        if len(given) > most:
            raise PalioError("announcement-too-long", field=what, count=f"{len(given):,}", limit=f"{most:,}")
    if not is_readable(text):
        raise PalioError("announcement-too-complex")
    return title, text
