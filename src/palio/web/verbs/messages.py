"""Private messages of organizers to participants: whom they reach, and sending them.

Who gets a message reads it, beside those who manage the challenge. An announcement is for everyone who sees the
challenge.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.errors import PalioError
from palio.web.models import Challenge, Membership, Message, Submission, Team, User
from palio.web.verbs import events, notices
from palio.web.verbs.announcements import checked
from palio.web.verbs.notifications import Kind, participants, reached

Audience = Message.Audience

WINDOW = timedelta(days=1)
TO_MANY, TO_ONE_TEAM = 5, 10  # messages in a window: to all or to those who have not submitted, and to each team
_AT_A_TIME = 1000  # rows in one statement


@dataclass(frozen=True)
class Draft:
    """A message as it would be sent. `people` get it; `mailed` of them by e-mail too."""

    challenge: Challenge
    audience: Audience
    team: Team | None
    title: str
    text: str
    people: QuerySet[User]
    receivers: int
    mailed: int


def draft(challenge: Challenge, audience: str, team: str, title: str, text: str, *, actor: User) -> Draft:
    """Check a message and count its receivers; sends nothing. `team` is a name, only for the audience `team`.

    The sender is not a receiver. Raises PalioError "message-…", "announcement-too-long" or "announcement-too-complex".
    """
    chosen = _audience(audience)
    found = _team(challenge, team) if chosen is Audience.TEAM else None
    title, text = checked(title, text, "message-incomplete")
    people = _people(challenge, chosen, found).exclude(pk=actor.pk)
    count = people.count()
    if not count:
        raise PalioError("message-without-receivers", reason=_nobody(chosen, found))
    mailed = len(reached(Kind.MESSAGE, people).mailed)
    return Draft(challenge, chosen, found, title, text, people, count, mailed)


def send(challenge: Challenge, audience: str, team: str, title: str, text: str, *, actor: User) -> Message:
    """Raises PalioError as `draft` does, and "messages-too-many"."""
    ready = draft(challenge, audience, team, title, text, actor=actor)
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)  # so that none is sent while others are counted
        refuse_too_many(ready)
        made = Message.objects.create(
            challenge=challenge,
            audience=ready.audience,
            team=ready.team,
            title=ready.title,
            text=ready.text,
            author=actor,
        )
        receiving = Message.receivers.through
        users = [*ready.people.values_list("pk", flat=True)]
        receiving.objects.bulk_create(
            (receiving(message_id=made.pk, user_id=user) for user in users), batch_size=_AT_A_TIME
        )
        events.record(
            "message.sent",
            actor=actor,
            challenge=challenge,
            message=made.pk,
            title=made.title,
            audience=made.audience,
            team=ready.team.name if ready.team else "",
            receivers=len(users),
        )
        notices.messaged(made)
    return made


def refuse_too_many(message: Draft) -> None:
    """Raises PalioError "messages-too-many" if it cannot be sent now."""
    sent = message.challenge.messages.filter(created__gt=timezone.now() - WINDOW)
    if message.team is None:
        sent, most = sent.filter(team=None), TO_MANY
        limit = f"{most} messages to all participants or to those who have not submitted"
    else:
        sent, most = sent.filter(team=message.team), TO_ONE_TEAM
        limit = f"{most} messages to the team “{message.team.name}”"
    latest = sent.order_by("-created").values_list("created", flat=True)[:most]
    if len(latest) == most:
        free = latest[most - 1] + WINDOW
        raise PalioError("messages-too-many", limit=limit, time=f"{free:%Y-%m-%d at %H:%M} UTC")


def _audience(named: str) -> Audience:
    if named not in Audience.values:
        allowed = ", ".join(f"`{each}`" for each in Audience.values)
        raise PalioError("message-audience-unknown", audience=named[:100], allowed=allowed)
    return Audience(named)


def _team(challenge: Challenge, name: str) -> Team:
    name = name.replace("\0", "").strip()  # PostgreSQL cannot search for NUL
    found = challenge.teams.filter(name__iexact=name).first()
    if found is None:
        raise PalioError("message-team-unknown", team=name[:100])
    return found


def _people(challenge: Challenge, audience: Audience, team: Team | None) -> QuerySet[User]:
    people = participants(challenge).filter(is_active=True)
    match audience:
        case Audience.TEAM:
            return people.filter(memberships__team=team)
        case Audience.NOT_SUBMITTED:
            teams = Submission.objects.filter(challenge=challenge).values("team")
            return people.exclude(pk__in=Membership.objects.filter(team__in=teams).values("user"))
    return people


def _nobody(audience: Audience, team: Team | None) -> str:
    match audience:
        case Audience.TEAM:
            return f"the team “{team}” has no other members"
        case Audience.NOT_SUBMITTED:
            return "every participant's team has submitted"
    return "there are no other participants"
