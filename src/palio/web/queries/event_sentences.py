"""Says the events of the audit log as sentences, and groups those of one attempt.

A kind that is not in the table is shown with its details, so that nothing is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from palio.core.attempt.states import RUNNING, State
from palio.core.errors import counted
from palio.web.models import Attempt, Event

_CHARACTERS = 200  # of a text in a sentence
_WHY = {
    "first": "submitted",
    "retry": "again after a platform error",
    "rerun": "to run all stages again",
    "rescore": "to be re-scored",
    "migrated": "taken over from the phase before",
}
_SAID: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = {
    "admin.made": "made {user} an operator",
    "announcement.made": "posted the announcement “{title}”",
    "announcement.changed": "edited the announcement “{title}”",
    "announcement.deleted": "deleted the announcement “{title}”",
    "attempt.cancel-requested": lambda of: (
        "asked to cancel the evaluation" + (", which counts toward the limit" if of.get("counts") else "")
    ),
    "attempt.moved": lambda of: _moved(of),
    "attempt.taken-up": lambda of: (
        f"continued with {_short(of.get('state', 'it'))} after "
        f"{'its process was killed' if of.get('after') == 'kill' else 'a restart'}"
    ),
    "attempt.worker-ended": lambda of: (
        f"noticed that the process that evaluates it ended{_in_stage(of)}: {_short(of.get('why', ''))}"
    ),
    "challenge.findings_accepted": lambda of: (
        f"accepted {counted(len(of.get('findings', ())), 'finding')} of the data audit in version {of.get('version')}: "
        f"{_short(of.get('reason', ''))}"
    ),
    "challenge.joining": "changed registration from {before} to {joining}",
    "challenge.published": lambda of: (
        f"published version {of.get('version')}{' as a draft' if of.get('draft') else ''}"
    ),
    "challenge.shown": lambda of: (
        f"made the challenge {of.get('visibility')}" + (f"; it was {of['before']}" if of.get("before") else "")
    ),
    "file.deleted": "deleted a file",
    "file.kept": lambda of: f"added a file of the kind {of.get('of_kind')}{_origin(of)}",
    "invitation.followed": "followed an invitation link",
    "invitation.made": lambda of: (
        f"created an invitation link{' to a team' if of.get('team') else ''}"
        + (f": {of['note']}" if of.get("note") else "")
    ),
    "invitation.taken-back": "revoked an invitation link",
    "invitation.used": "accepted an invitation",
    "message.sent": lambda of: (
        f"sent the message “{of.get('title')}” to {counted(of.get('receivers', 0), 'participant')}{_audience(of)}"
    ),
    "notifications.changed": "changed what they are notified of",
    "notifications.unsubscribed": lambda of: (
        "unsubscribed from all e-mails about notifications"
        if of.get("mails") == "all"
        else f"unsubscribed from e-mails of the kind {of.get('mails')}"
    ),
    "person.changed": "changed {what} of {user} to {value}",
    "person.reset-link": "created a password link for {user}",
    "person.second-factors-removed": "removed the second factors of {user}",
    "phase.closes-soon": "announced that “{phase}” closes within a day",
    "registration.decided": lambda of: _decided(of),
    "registration.made": lambda of: (
        ("joined" if of.get("state") == "approved" else "asked to join")
        + (" and accepted the terms" if of.get("terms") else "")
    ),
    "registration.withdrawn": "withdrew from the challenge",
    "rescore.applied": "applied the new scores of a re-score",
    "rescore.begun": lambda of: (
        f"started to re-score {counted(of.get('count', 0), 'submission')} of “{of.get('phase')}”"
    ),
    "rescore.discarded": "discarded the new scores of a re-score",
    "role.granted": "made {user} {role} of this challenge",
    "role.revoked": "removed the role {role} of {user}",
    "submission.marked-baseline": "marked it as a baseline",
    "submission.unmarked-baseline": "unmarked it as a baseline",
    "submission.created": "submitted it to “{phase}”",
    "submission.disqualified": "disqualified it: {reason}",
    "submission.hidden": "hid it from the leaderboard",
    "submission.migrated": "took it over into “{phase}”",
    "submission.put-on-leaderboard": lambda of: (
        "put it on the leaderboard"
        + (f" instead of {counted(len(of['replaced']), 'other submission')}" if of.get("replaced") else "")
    ),
    "submission.reinstated": "reinstated it; it was disqualified for: {reason}",
    "submission.shown": "showed it on the leaderboard again",
    "submission.taken-off-leaderboard": "took it off the leaderboard",
    "submission.withdrawn": "withdrew it",
    "team.captain": "made {captain} the captain of the team",
    "team.joined": "joined a team",
    "team.left": "left the team",
    "team.made": "started the team “{name}”",
    "team.merged": lambda of: (
        f"merged the team “{of.get('name')}” with {counted(len(of.get('members', ())), 'member')} into another"
    ),
    "team.profile-changed": "changed the profile of the team",
    "team.renamed": "renamed the team from “{before}” to “{name}”",
    "terms.accepted": "accepted the terms of version {version}",
    "token.made": "created the API token “{name}”",
    "token.revoked": "revoked the API token “{name}”",
    "team.registry-account-deleted": "deleted the team's account at {registry}",
    "team.registry-account-saved": "saved the account {username} at {registry} for the team",
    "webhook.changed": "changed a webhook",
    "webhook.deleted": "deleted a webhook",
    "webhook.made": "added a webhook",
    "webhook.secret-rotated": "replaced the secret of a webhook",
}
KINDS = frozenset(_SAID)


@dataclass(frozen=True)
class Said:
    """An event as a sentence without its subject. `actor` is empty for the platform."""

    event: Event
    actor: str
    sentence: str


@dataclass(frozen=True)
class EventGroup:
    """Events of one attempt, oldest first, or a single other event. `number` is that of the attempt."""

    said: tuple[Said, ...]
    number: int | None = None

    @property
    def latest(self) -> Said:
        return self.said[-1]


def sentence(event: Event) -> str:
    """What the actor did, such as `disqualified it: reason`. “It” is the submission of the event."""
    form = _SAID.get(event.kind)
    if form is None:
        shown = ", ".join(f"{name}: {_short(value)}" for name, value in event.detail.items() if value not in ("", None))
        return f"{event.kind} ({shown})" if shown else event.kind
    if callable(form):
        return form(event.detail)
    return form.format_map(_Missing({name: _short(value) for name, value in event.detail.items()}))


def groups(events: Iterable[Event]) -> list[EventGroup]:
    """Of events that are newest first: an attempt stands where its newest event is. Order is kept otherwise."""
    found: dict[str, list[Said]] = {}
    for event in events:
        said = Said(event, event.actor.username if event.actor else "", sentence(event))
        found.setdefault(event.attempt or f"event {event.pk}", []).append(said)
    numbers = dict(Attempt.objects.filter(pk__in=found).values_list("identity", "number"))
    return [EventGroup(tuple(reversed(said)), numbers.get(key)) for key, said in found.items()]


class _Missing(dict[str, str]):
    """Details that an event of an earlier version does not have."""

    def __missing__(self, key: str) -> str:
        return "…"


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _moved(of: Mapping[str, Any]) -> str:
    new, why = str(of.get("new", "")), str(of.get("why", ""))
    counts = " It counts toward the limit." if of.get("charged") else ""
    match new:
        case State.QUEUED:
            return f"put it into the queue: {_WHY.get(why, _short(why))}" if why else "put it into the queue"
        case State.SCORED:
            return f"scored it{'.' + counts if counts else ''}"
        case State.FAILED:
            return f"ended it: failed with {_short(why)}{'.' + counts if counts else ''}"
        case State.CANCELLED:
            return f"cancelled it{'.' + counts if counts else ''}"
    return f"started its stage {new}" if new in RUNNING else f"moved it to {new}"


def _in_stage(of: Mapping[str, Any]) -> str:
    return f" in {of['stage']}" if of.get("stage") else ""


def _origin(of: Mapping[str, Any]) -> str:
    source = (of.get("origin") or {}).get("source")
    return f" from {_short(source)}" if source else ""


def _audience(of: Mapping[str, Any]) -> str:
    match of.get("audience"):
        case "team":
            return f" of the team “{of.get('team')}”"
        case "not-submitted":
            return " who had not submitted"
    return ""


def _decided(of: Mapping[str, Any]) -> str:
    if of.get("state") == "approved":
        return f"approved {of.get('user')}"
    return f"excluded {of.get('user')}" if of.get("before") == "approved" else f"refused {of.get('user')}"
