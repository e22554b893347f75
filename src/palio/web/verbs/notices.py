"""The occasions that people are notified of, each in the transaction of what happened.

No text contains a score: who may see it is decided when somebody looks.
"""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from palio.core.attempt.states import State
from palio.core.bundle.model import Phase
from palio.web.language.times import day
from palio.web.models import Announcement, Attempt, Challenge, Event, Registration, User
from palio.web.verbs import events, webhooks
from palio.web.verbs.notifications import Kind, Notice, members, notify, participants, title_of

DEADLINE = "phase.closes-soon"  # the event


def finished(attempt: Attempt) -> None:
    """A submission was scored or failed for good. Attempts of a re-score are not reported here."""
    submission = attempt.submission
    if attempt.state == State.SCORED:
        kind, failure, more = Kind.SCORED, "", ""
    elif attempt.state == State.FAILED and attempt.failure_shown is not None:
        shown = attempt.failure_shown
        kind, failure, more = Kind.FAILED, str(shown["message"]), str(shown.get("next_step") or "")
    else:
        return
    facts = {"file": submission.file.name, "phase": submission.phase, "failure": failure}

    def text() -> str:
        if kind is Kind.SCORED:
            return gettext("“%(file)s” was scored in the phase “%(phase)s”.") % facts
        return gettext("“%(file)s” failed in the phase “%(phase)s”: %(failure)s") % facts

    notice = Notice(
        kind=kind,
        challenge=submission.challenge,
        submission=submission,
        text=text,
        more=more,
        path=f"/s/{submission.pk}/",
        key=f"attempt/{attempt.identity}",
    )
    notify(notice, members(submission))
    data = {
        "submission": submission.pk,
        "url": f"{_address()}/s/{submission.pk}/",
        "phase": submission.phase,
        "team": {"id": submission.team_id, "name": submission.team.name},
        "attempt": attempt.identity,
        "failure": attempt.failure_shown if kind is Kind.FAILED else None,
    }
    event = webhooks.SCORED if kind is Kind.SCORED else webhooks.FAILED
    webhooks.emit(event, submission.challenge, data, team=submission.team)


def decided(registration: Registration, *, at: datetime) -> None:
    """An organizer approved or refused a join request."""
    is_approved = registration.state == Registration.State.APPROVED
    title = title_of(registration.challenge)
    notice = Notice(
        kind=Kind.DECISION,
        challenge=registration.challenge,
        text=lambda: (
            (
                gettext("You may participate in “%(challenge)s” now.")
                if is_approved
                else gettext("Your request to join “%(challenge)s” was refused.")
            )
            % {"challenge": title}
        ),
        path=f"/c/{registration.challenge.slug}/",
        key=f"registration/{registration.pk}/{at.timestamp():.0f}",
    )
    notify(notice, User.objects.filter(pk=registration.user_id))
    data = {"registration": registration.pk, "user": registration.user.username, "state": registration.state}
    webhooks.emit(webhooks.DECIDED, registration.challenge, data)


def announced(announcement: Announcement) -> None:
    challenge = announcement.challenge
    notice = Notice(
        kind=Kind.ANNOUNCEMENT,
        challenge=challenge,
        text=lambda: f"{title_of(challenge)}: {announcement.title}",
        more=announcement.text,
        path=f"/c/{challenge.slug}/announcements/",
        key=f"announcement/{announcement.pk}",
    )
    notify(notice, participants(challenge).exclude(pk=announcement.author_id))
    data = {"number": announcement.pk, "title": announcement.title, "text": announcement.text}
    webhooks.emit(webhooks.ANNOUNCED, challenge, data | {"url": f"{_address()}{notice.path}"})


def closes_soon(challenge: Challenge, phase: Phase, end: datetime) -> bool:
    """A phase closes at `end`, within a day; False if that was reported before. Needs a transaction."""
    end = end.astimezone(UTC)
    detail: dict[str, Any] = {"phase": phase.name, "end": end.isoformat()}
    Challenge.objects.select_for_update().get(pk=challenge.pk)
    if Event.objects.filter(challenge=challenge, kind=DEADLINE, detail__phase=phase.name, detail__end=detail["end"]):
        return False
    events.record(DEADLINE, actor=None, challenge=challenge, **detail)
    notice = Notice(
        kind=Kind.DEADLINE,
        challenge=challenge,
        text=lambda: (
            gettext("The phase “%(phase)s” of “%(challenge)s” closes on %(day)s at %(time)s UTC.")
            % {"phase": phase.name, "challenge": title_of(challenge), "day": day(end), "time": f"{end:%H:%M}"}
        ),
        path=f"/c/{challenge.slug}/phases/",
        key=f"deadline/{challenge.pk}/{end.isoformat()}/{phase.index}",
    )
    notify(notice, participants(challenge))
    webhooks.emit(webhooks.CLOSES, challenge, detail | {"url": f"{_address()}{notice.path}"})
    return True


def _address() -> str:
    return settings.CONFIGURATION.address
