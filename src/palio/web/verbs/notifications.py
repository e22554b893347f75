"""Notifications: writing them, marking them as read, and each person's choice of kinds and channels.

`notify` runs in the transaction of what it is about: both are committed, or neither. Mail is only written here; the
controller sends it. The same occasion (`key`) notifies a person once, however often it is reported.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop, override

from palio.core.errors import PalioError
from palio.web.config.languages import LANGUAGE_NAMES
from palio.web.models import Challenge, Mail, Notification, NotificationSettings, Submission, User
from palio.web.verbs import events

SUBJECT_CHARACTERS = 150
_AT_A_TIME = 1000  # rows in one statement


class Kind(StrEnum):
    SCORED = "scored"
    FAILED = "failed"
    RESCORED = "rescored"
    JUDGED = "judged"
    DECISION = "decision"
    ANNOUNCEMENT = "announcement"
    MESSAGE = "message"
    DEADLINE = "deadline"


class Channel(StrEnum):
    PAGE = "page"
    MAIL = "mail"


SAYS: Mapping[Kind, str] = {
    Kind.SCORED: gettext_noop("A submission of your team was scored"),
    Kind.FAILED: gettext_noop("A submission of your team failed"),
    Kind.RESCORED: gettext_noop("A re-score changed a score of your team"),
    Kind.JUDGED: gettext_noop("An organizer disqualified or reinstated a submission of your team"),
    Kind.DECISION: gettext_noop("An organizer decided on your join request"),
    Kind.ANNOUNCEMENT: gettext_noop("A challenge that you joined has a new announcement"),
    Kind.MESSAGE: gettext_noop("An organizer sent you a message"),
    Kind.DEADLINE: gettext_noop("A phase that you can submit to closes within 24 hours"),
}

CHOICES = tuple(f"{kind}/{channel}" for kind in Kind for channel in Channel)


@dataclass(frozen=True)
class Notice:
    """What people are told. `text` says it in the language that is active; `more` is further text of the mail."""

    kind: Kind
    challenge: Challenge
    text: Callable[[], str]
    path: str
    key: str
    more: Callable[[], str] = str  # empty
    submission: Submission | None = None


@dataclass(frozen=True)
class Reached:
    """The ids of those who get a notification in their list, and by mail."""

    listed: tuple[int, ...]
    mailed: tuple[int, ...]


def reached(kind: Kind, people: QuerySet[User]) -> Reached:
    active = people.filter(is_active=True)
    off = dict(NotificationSettings.objects.filter(user__in=active).values_list("user_id", "off"))
    told = [*active.values_list("pk", flat=True)]
    listed = tuple(user for user in told if f"{kind}/{Channel.PAGE}" not in off.get(user, ()))
    if not settings.CONFIGURATION.mail_url:
        return Reached(listed, ())
    reachable = set(addresses().filter(user__in=active).values_list("user_id", flat=True))
    chosen = (user for user in told if f"{kind}/{Channel.MAIL}" not in off.get(user, ()))
    return Reached(listed, tuple(user for user in chosen if user in reachable))


def notify(notice: Notice, people: QuerySet[User]) -> None:
    """Needs a transaction."""
    found = reached(notice.kind, people)
    languages = languages_of([*found.listed, *found.mailed])
    texts = {language: _said_in(language, notice.text) for language in set(languages.values())}
    Notification.objects.bulk_create(
        (
            Notification(
                user_id=user,
                kind=notice.kind,
                challenge=notice.challenge,
                submission=notice.submission,
                text=texts[languages[user]],
                path=notice.path,
                key=notice.key,
            )
            for user in found.listed
        ),
        batch_size=_AT_A_TIME,
        ignore_conflicts=True,
    )
    for language, text in texts.items():
        users = [user for user in found.mailed if languages[user] == language]
        write_mail(notice.key, text, _said_in(language, lambda: _mail_text(notice)), users, kind=notice.kind)


def write_mail(key: str, subject: str, text: str, users: Iterable[int], *, kind: str = "") -> None:
    """`kind` is what its receiver can unsubscribe from. Needs a transaction."""
    line = " ".join("".join(each if each.isprintable() else " " for each in subject).split())
    line = line if len(line) <= SUBJECT_CHARACTERS else f"{line[: SUBJECT_CHARACTERS - 1]}…"
    Mail.objects.bulk_create(
        (Mail(user_id=user, key=key, kind=kind, subject=line, text=text) for user in users),
        batch_size=_AT_A_TIME,
        ignore_conflicts=True,
    )


def languages_of(users: Collection[int]) -> dict[int, str]:
    """In which language each person is told something: the one that they have chosen, or else the platform's."""
    default: str = settings.CONFIGURATION.language
    rows = User.objects.filter(pk__in=users).values_list("pk", "language")
    return {user: language if language in LANGUAGE_NAMES else default for user, language in rows}


def _said_in(language: str, text: Callable[[], str]) -> str:
    with override(language):
        return text()


def addresses() -> QuerySet[EmailAddress]:
    """The addresses that mail is sent to: of each person the primary one, once they have confirmed it."""
    found: QuerySet[EmailAddress] = EmailAddress.objects.filter(verified=True, primary=True)
    return found


def mark_read(user: User, only: Collection[str] | None = None) -> int:
    """Mark notifications of `user` as read, all of them or those with these IDs; returns how many were unread."""
    unread = Notification.objects.filter(user=user, read=None)
    return (unread if only is None else unread.filter(pk__in=only)).update(read=timezone.now())


def settings_of(user: User) -> NotificationSettings:
    return NotificationSettings.objects.filter(user=user).first() or NotificationSettings(user=user)


def change_settings(user: User, *, off: Collection[str], digest: str) -> NotificationSettings:
    """`off` lists `kind/channel`; everything else is on. Raises PalioError "value-unknown"."""
    for value in off:
        refuse_unknown_choice(value)
    _refuse_unknown(digest, NotificationSettings.Digest.values)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        found = settings_of(user)
        if digest != found.digest or found.digest_until is None:
            found.digest_until = timezone.now()  # a digest begins when it is switched on
        found.off, found.digest = [value for value in CHOICES if value in set(off)], digest
        found.save()
        events.record("notifications.changed", actor=user, off=found.off, digest=digest)
    return found


def members(submission: Submission) -> QuerySet[User]:
    return User.objects.filter(memberships__team=submission.team_id)


def participants(challenge: Challenge) -> QuerySet[User]:
    approved = Q(registrations__challenge=challenge, registrations__state="approved")
    return User.objects.filter(approved)


def title_of(challenge: Challenge) -> str:
    return challenge.current.title if challenge.current else challenge.slug


def _mail_text(notice: Notice) -> str:
    address = settings.CONFIGURATION.address
    parts = [notice.text(), notice.more(), f"{address}{notice.path}"]
    return "\n\n".join(
        [
            *filter(None, parts),
            footer(gettext("You joined “%(challenge)s”.") % {"challenge": title_of(notice.challenge)}),
        ]
    )


def footer(why: str) -> str:
    choose = gettext("Choose which e-mails you get:")
    return f"-- \n{why} {choose} {settings.CONFIGURATION.address}/notifications/settings/\n"


def refuse_unknown_choice(value: str) -> None:
    """Raises PalioError "value-unknown"."""
    _refuse_unknown(value, CHOICES)


def _refuse_unknown(value: str, known: Collection[str]) -> None:
    if value not in known:
        raise PalioError("value-unknown", value=value[:100], allowed=", ".join(f"`{each}`" for each in known))
