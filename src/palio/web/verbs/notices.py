"""The occasions that people are notified of, each in the transaction of what happened.

No text contains a score, because who may see it is decided when somebody looks; but for a re-score, which says what
changed, where the team may read the scores at that time.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from palio.core.attempt.states import State
from palio.core.bundle.model import Phase
from palio.web.language.sentences import said
from palio.web.language.times import day
from palio.web.models import (
    Announcement,
    Attempt,
    Challenge,
    Event,
    Message,
    Registration,
    Rescore,
    Submission,
    User,
)
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import events, webhooks
from palio.web.verbs.notifications import Kind, Notice, members, notify, participants, title_of
from palio.web.verbs.score_changes import ReadableScores, ScoreChange

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

    event = webhooks.SCORED if kind is Kind.SCORED else webhooks.FAILED
    data = {"attempt": attempt.identity, "failure": attempt.failure_shown if kind is Kind.FAILED else None}
    _tell_team(submission, kind, event, data, text=text, more=lambda: more, key=f"attempt/{attempt.identity}")


def rescored(rescore: Rescore, changes: Sequence[ScoreChange]) -> None:
    """The new scores of a re-score were applied. Tells each team what changed of what it can read."""
    challenge, phase = rescore.challenge, rescore.phase
    by_team: dict[str, list[ScoreChange]] = {}
    for change in changes:
        if change.differs:
            by_team.setdefault(change.submission.team_id, []).append(change)
    data = {"rescore": rescore.pk, "phase": phase, "url": f"{_address()}/c/{challenge.slug}/leaderboard/"}
    every = [change.submission.pk for each in by_team.values() for change in each]
    webhooks.emit_to(None, webhooks.RESCORED, challenge, data | {"submissions": every})
    readable = ReadableScores(current_bundle(challenge), phase)
    for each in by_team.values():
        told = [(change.submission, line) for change in each if (line := readable.says(change))]
        if not told:
            continue
        team = told[0][0].team
        notice = Notice(
            kind=Kind.RESCORED,
            challenge=challenge,
            submission=told[0][0] if len(told) == 1 else None,
            text=partial(_rescored_text, phase, [line for _, line in told]),
            more=partial(_rescored_lines, [line for _, line in told]),
            path=f"/s/{told[0][0].pk}/" if len(told) == 1 else f"/c/{challenge.slug}/submissions/",
            key=f"rescore/{rescore.pk}",
        )
        notify(notice, members(told[0][0]))
        ids = [submission.pk for submission, _ in told]
        webhooks.emit_to(team, webhooks.RESCORED, challenge, data | {"submissions": ids})


def _rescored_text(phase: str, changes: Sequence[str]) -> str:
    if len(changes) == 1:
        return gettext("The phase “%(phase)s” was re-scored: %(change)s.") % {
            "phase": phase,
            "change": said(changes[0]),
        }
    form = gettext("The phase “%(phase)s” was re-scored: the scores of %(count)s submissions changed.")
    return form % {"phase": phase, "count": len(changes)}


def _rescored_lines(changes: Sequence[str]) -> str:
    return "" if len(changes) == 1 else "\n".join(map(said, changes))


def judged(submission: Submission, *, at: datetime) -> None:
    """An organizer disqualified a submission, or reinstated it."""
    reason = submission.disqualified
    facts = {"file": submission.file.name, "phase": submission.phase, "reason": reason}

    def text() -> str:
        if reason:
            return gettext("“%(file)s” was disqualified in the phase “%(phase)s”: %(reason)s") % facts
        return gettext("“%(file)s” was reinstated and has a rank again.") % facts

    event = webhooks.DISQUALIFIED if reason else webhooks.REINSTATED
    key = f"judged/{submission.pk}/{at.timestamp():.3f}"
    _tell_team(submission, Kind.JUDGED, event, {"reason": reason}, text=text, key=key)


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
        more=lambda: announcement.text,
        path=f"/c/{challenge.slug}/announcements/",
        key=f"announcement/{announcement.pk}",
    )
    notify(notice, participants(challenge).exclude(pk=announcement.author_id))
    data = {"number": announcement.pk, "title": announcement.title, "text": announcement.text}
    webhooks.emit(webhooks.ANNOUNCED, challenge, data | {"url": f"{_address()}{notice.path}"})


def messaged(message: Message) -> None:
    """No webhook gets it: it is for people."""
    notice = Notice(
        kind=Kind.MESSAGE,
        challenge=message.challenge,
        text=lambda: (
            gettext("Message from the organizers of “%(challenge)s”: %(title)s")
            % {"challenge": title_of(message.challenge), "title": message.title}
        ),
        more=lambda: message.text,
        path=f"/messages/{message.pk}/",
        key=f"message/{message.pk}",
    )
    notify(notice, message.receivers.all())


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


def _tell_team(
    submission: Submission,
    kind: Kind,
    event: str,
    data: Mapping[str, object],
    *,
    text: Callable[[], str],
    more: Callable[[], str] = str,
    key: str,
) -> None:
    """Notifies a team's members and the webhooks of what became of a submission. `data` is the event's own."""
    path = f"/s/{submission.pk}/"
    notice = Notice(
        kind=kind, challenge=submission.challenge, submission=submission, text=text, more=more, path=path, key=key
    )
    notify(notice, members(submission))
    known = {
        "submission": submission.pk,
        "url": f"{_address()}{path}",
        "phase": submission.phase,
        "team": {"id": submission.team_id, "name": submission.team.name},
    }
    webhooks.emit(event, submission.challenge, {**known, **data}, team=submission.team)


def _address() -> str:
    return settings.CONFIGURATION.address
