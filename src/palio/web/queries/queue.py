"""The queue: what runs, what waits and for how long, and whether the controller runs. All challenges share it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from palio.core.attempt.states import RUNNING, State
from palio.web.http.cache import cached
from palio.web.models import Attempt, Challenge, ControllerBeat
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.queue import Place, living_controllers, places, slots

SHOWN = 50  # waiting attempts


@dataclass(frozen=True)
class ControllerStatus:
    """Of all controllers together. `lives` is false if all heartbeats are too old; `trouble` is why none can start
    anything, `named_trouble` why none can use the engines of these names.
    """

    lives: bool
    last: datetime | None
    engine: str
    trouble: str
    named_trouble: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockedPhase:
    """A phase whose engine cannot be used now; `trouble` is why, in one sentence."""

    phase: str
    engine: str
    trouble: str


@dataclass(frozen=True)
class QueuedAttempt:
    attempt: Attempt
    place: Place


@dataclass(frozen=True)
class Queue:
    """`running` and `waiting` are those of this challenge; other challenges are only counted. `blocked` are its phases
    whose own engines cannot be used now.
    """

    slots: int
    running: tuple[Attempt, ...]
    running_others: int
    waiting: tuple[QueuedAttempt, ...]  # the first ones
    waiting_own: int
    waiting_all: int
    controller: ControllerStatus
    blocked: tuple[BlockedPhase, ...] = ()


def queue(challenge: Challenge) -> Queue:
    found = places()
    own = Attempt.objects.filter(submission__challenge=challenge).select_related(
        "submission__team", "submission__file", "rescore"
    )
    waiting = [
        QueuedAttempt(attempt, found[attempt.identity])
        for attempt in own.filter(state=State.QUEUED, cancel_requested=None)
        if attempt.identity in found
    ]
    waiting.sort(key=lambda each: (each.place.number is None, each.place.number or 0, each.attempt.not_before))
    running = Attempt.objects.filter(state__in=[*RUNNING])
    status = controller()
    return Queue(
        slots=slots(),
        running=tuple(own.filter(state__in=[*RUNNING]).order_by("started")),
        running_others=running.exclude(submission__challenge=challenge).count(),
        waiting=tuple(waiting[:SHOWN]),
        waiting_own=len(waiting),
        waiting_all=len(found),
        controller=status,
        blocked=_blocked(challenge, status) if status.named_trouble else (),
    )


def place_of(attempt: Attempt) -> Place | None:
    """Its place in the queue, which is computed once a second for all viewers; None once it has left the queue."""
    if attempt.state != State.QUEUED:
        return None
    return cached("queue", int(time.monotonic()), places).get(attempt.identity)


def controller(now: datetime | None = None) -> ControllerStatus:
    living = living_controllers(now)
    beats = living or list(ControllerBeat.objects.order_by("-time")[:1])
    if not beats:
        return ControllerStatus(lives=False, last=None, engine="", trouble="")
    shown = next((beat for beat in beats if not beat.trouble), beats[0])
    common = set.intersection(*(set(beat.named_trouble) for beat in beats))
    named = {name: beats[0].named_trouble[name] for name in sorted(common)}
    return ControllerStatus(bool(living), beats[0].time, shown.engine, shown.trouble, named)


def _blocked(challenge: Challenge, status: ControllerStatus) -> tuple[BlockedPhase, ...]:
    return tuple(
        BlockedPhase(phase.name, engine, status.named_trouble[engine])
        for phase in current_bundle(challenge).phases
        if (engine := phase.rules.engine) in status.named_trouble
    )
