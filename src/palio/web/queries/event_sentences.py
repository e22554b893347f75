"""Says the events of the audit log as sentences, in the reader's language, and groups those of one attempt.

A kind that is not in the table is shown with its details, so that nothing is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_noop, ngettext, pgettext

from palio.core.attempt.states import RUNNING, State
from palio.web.language.numbers import number
from palio.web.language.words import word
from palio.web.models import Attempt, Event

_CHARACTERS = 200  # of a text in a sentence
# Details that are values with words.
_WORDS = {
    "challenge.joining": frozenset({"before", "joining"}),
    "role.granted": frozenset({"role"}),
    "role.revoked": frozenset({"role"}),
}
_WHY = {
    "first": gettext_noop("submitted"),
    "retry": gettext_noop("again after a platform error"),
    "rerun": gettext_noop("to run all stages again"),
    "rescore": gettext_noop("to be re-scored"),
    "migrated": gettext_noop("taken over from the phase before"),
}
_SAID: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = {
    "admin.made": gettext_noop("made {user} an operator"),
    "announcement.made": gettext_noop("posted the announcement “{title}”"),
    "announcement.changed": gettext_noop("edited the announcement “{title}”"),
    "announcement.deleted": gettext_noop("deleted the announcement “{title}”"),
    "attempt.cancel-requested": lambda of: (
        gettext("asked to cancel the evaluation, which counts toward the limit")
        if of.get("counts")
        else gettext("asked to cancel the evaluation")
    ),
    "attempt.moved": lambda of: _moved(of),
    "attempt.taken-up": lambda of: (
        gettext("continued with {stage} after its process was killed")
        if of.get("after") == "kill"
        else gettext("continued with {stage} after a restart")
    ).format(stage=word(_short(of.get("state", "it")))),
    "attempt.worker-ended": lambda of: (
        gettext("noticed that the process that evaluates it ended in {stage}: {reason}")
        if of.get("stage")
        else gettext("noticed that the process that evaluates it ended: {reason}")
    ).format(stage=word(str(of.get("stage"))), reason=_short(of.get("why", ""))),
    "challenge.findings_accepted": lambda of: ngettext(
        "accepted {count} finding of the data audit in version {version}: {reason}",
        "accepted {count} findings of the data audit in version {version}: {reason}",
        len(of.get("findings", ())),
    ).format(
        count=number(len(of.get("findings", ())), ","),
        version=of.get("version"),
        reason=_short(of.get("reason", "")),
    ),
    "challenge.joining": gettext_noop("changed registration from {before} to {joining}"),
    "challenge.published": lambda of: (
        gettext("published version {version} as a draft") if of.get("draft") else gettext("published version {version}")
    ).format(version=of.get("version")),
    "challenge.shown": lambda of: (
        gettext("made the challenge {visibility}; it was {before}")
        if of.get("before")
        else gettext("made the challenge {visibility}")
    ).format(visibility=word(str(of.get("visibility"))), before=word(str(of.get("before")))),
    "file.deleted": gettext_noop("deleted a file"),
    "file.kept": lambda of: _kept(of),
    "invitation.followed": gettext_noop("followed an invitation link"),
    "invitation.made": lambda of: (
        (gettext("created an invitation link to a team") if of.get("team") else gettext("created an invitation link"))
        + (f": {of['note']}" if of.get("note") else "")
    ),
    "invitation.taken-back": gettext_noop("revoked an invitation link"),
    "invitation.used": gettext_noop("accepted an invitation"),
    "message.sent": lambda of: _message(of),
    "notifications.changed": gettext_noop("changed what they are notified of"),
    "notifications.unsubscribed": lambda of: (
        gettext("unsubscribed from all e-mails about notifications")
        if of.get("mails") == "all"
        else gettext("unsubscribed from e-mails of the kind {kind}").format(kind=of.get("mails"))
    ),
    "person.changed": gettext_noop("changed {what} of {user} to {value}"),
    "person.reset-link": gettext_noop("created a password link for {user}"),
    "person.second-factors-removed": gettext_noop("removed the second factors of {user}"),
    "phase.closes-soon": gettext_noop("announced that “{phase}” closes within a day"),
    "registration.decided": lambda of: _decided(of),
    "registration.made": lambda of: (
        (gettext("joined and accepted the terms") if of.get("terms") else pgettext("event", "joined"))
        if of.get("state") == "approved"
        else (gettext("asked to join and accepted the terms") if of.get("terms") else gettext("asked to join"))
    ),
    "registration.withdrawn": gettext_noop("withdrew from the challenge"),
    "rescore.applied": gettext_noop("applied the new scores of a re-score"),
    "rescore.begun": lambda of: ngettext(
        "started to re-score {count} submission of “{phase}”",
        "started to re-score {count} submissions of “{phase}”",
        of.get("count", 0),
    ).format(count=number(of.get("count", 0), ","), phase=of.get("phase")),
    "rescore.discarded": gettext_noop("discarded the new scores of a re-score"),
    "role.granted": gettext_noop("made {user} {role} of this challenge"),
    "role.revoked": gettext_noop("removed the role {role} of {user}"),
    "submission.marked-baseline": gettext_noop("marked it as a baseline"),
    "submission.unmarked-baseline": gettext_noop("unmarked it as a baseline"),
    "submission.created": gettext_noop("submitted it to “{phase}”"),
    "submission.disqualified": gettext_noop("disqualified it: {reason}"),
    "submission.hidden": gettext_noop("hid it from the leaderboard"),
    "submission.migrated": gettext_noop("took it over into “{phase}”"),
    "submission.put-on-leaderboard": lambda of: (
        ngettext(
            "put it on the leaderboard instead of {count} other submission",
            "put it on the leaderboard instead of {count} other submissions",
            len(of["replaced"]),
        ).format(count=number(len(of["replaced"]), ","))
        if of.get("replaced")
        else gettext("put it on the leaderboard")
    ),
    "submission.reinstated": gettext_noop("reinstated it; it was disqualified for: {reason}"),
    "submission.shown": gettext_noop("showed it on the leaderboard again"),
    "submission.taken-off-leaderboard": gettext_noop("took it off the leaderboard"),
    "submission.withdrawn": gettext_noop("withdrew it"),
    "team.captain": gettext_noop("made {captain} the captain of the team"),
    "team.joined": gettext_noop("joined a team"),
    "team.left": gettext_noop("left the team"),
    "team.made": gettext_noop("started the team “{name}”"),
    "team.merged": lambda of: ngettext(
        "merged the team “{name}” with {count} member into another",
        "merged the team “{name}” with {count} members into another",
        len(of.get("members", ())),
    ).format(name=of.get("name"), count=number(len(of.get("members", ())), ",")),
    "team.profile-changed": gettext_noop("changed the profile of the team"),
    "team.renamed": gettext_noop("renamed the team from “{before}” to “{name}”"),
    "terms.accepted": gettext_noop("accepted the terms of version {version}"),
    "token.made": gettext_noop("created the API token “{name}”"),
    "token.revoked": gettext_noop("revoked the API token “{name}”"),
    "team.registry-account-deleted": gettext_noop("deleted the team's account at {registry}"),
    "team.registry-account-saved": gettext_noop("saved the account {username} at {registry} for the team"),
    "webhook.changed": gettext_noop("changed a webhook"),
    "webhook.deleted": gettext_noop("deleted a webhook"),
    "webhook.made": gettext_noop("added a webhook"),
    "webhook.secret-rotated": gettext_noop("replaced the secret of a webhook"),
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
    return gettext(form).format_map(
        _Missing({name: _fact(event.kind, name, value) for name, value in event.detail.items()})
    )


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


def _fact(kind: str, name: str, value: object) -> str:
    return word(str(value)) if name in _WORDS.get(kind, ()) else _short(value)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _moved(of: Mapping[str, Any]) -> str:
    new, why = str(of.get("new", "")), str(of.get("why", ""))
    counts = ". " + gettext("It counts toward the limit.") if of.get("charged") else ""
    match new:
        case State.QUEUED:
            reason = gettext(_WHY[why]) if why in _WHY else _short(why)
            return (
                gettext("put it into the queue: {reason}").format(reason=reason)
                if why
                else gettext("put it into the queue")
            )
        case State.SCORED:
            return gettext("scored it") + counts
        case State.FAILED:
            return gettext("ended it: failed with {code}").format(code=_short(why)) + counts
        case State.CANCELLED:
            return gettext("cancelled it") + counts
    form = gettext("started its stage {stage}") if new in RUNNING else gettext("moved it to {stage}")
    return form.format(stage=word(new))


def _kept(of: Mapping[str, Any]) -> str:
    source = (of.get("origin") or {}).get("source")
    if not source:
        return gettext("added a file of the kind {kind}").format(kind=of.get("of_kind"))
    return gettext("added a file of the kind {kind} from {source}").format(
        kind=of.get("of_kind"), source=_short(source)
    )


def _message(of: Mapping[str, Any]) -> str:
    count = of.get("receivers", 0)
    match of.get("audience"):
        case "team":
            form = ngettext(
                "sent the message “{title}” to {count} participant of the team “{team}”",
                "sent the message “{title}” to {count} participants of the team “{team}”",
                count,
            )
        case "not-submitted":
            form = ngettext(
                "sent the message “{title}” to {count} participant who had not submitted",
                "sent the message “{title}” to {count} participants who had not submitted",
                count,
            )
        case _:
            form = ngettext(
                "sent the message “{title}” to {count} participant",
                "sent the message “{title}” to {count} participants",
                count,
            )
    return form.format(title=of.get("title"), count=number(count, ","), team=of.get("team"))


def _decided(of: Mapping[str, Any]) -> str:
    form = gettext("excluded {user}") if of.get("before") == "approved" else gettext("refused {user}")
    if of.get("state") == "approved":
        form = gettext("approved {user}")
    return form.format(user=of.get("user"))
