"""The queue: what runs, what waits and for how long, and whether the controller runs. All challenges share it."""

import time
from dataclasses import dataclass
from datetime import datetime

from palio.core.attempt.states import RUNNING, State
from palio.web.http.cache import cached
from palio.web.models import Attempt, Challenge, ControllerBeat
from palio.web.verbs.queue import Place, living_controllers, places, slots

SHOWN = 50  # waiting attempts


@dataclass(frozen=True)
class ControllerStatus:
    """Of all controllers together. `lives` is false if all heartbeats are too old; `trouble` is why none can start
    anything.
    """

    lives: bool
    last: datetime | None
    engine: str
    trouble: str


@dataclass(frozen=True)
class QueuedAttempt:
    attempt: Attempt
    place: Place


@dataclass(frozen=True)
class Queue:
    """`running` and `waiting` are those of this challenge; other challenges are only counted."""

    slots: int
    running: tuple[Attempt, ...]
    running_others: int
    waiting: tuple[QueuedAttempt, ...]  # the first ones
    waiting_own: int
    waiting_all: int
    controller: ControllerStatus


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
    return Queue(
        slots=slots(),
        running=tuple(own.filter(state__in=[*RUNNING]).order_by("started")),
        running_others=running.exclude(submission__challenge=challenge).count(),
        waiting=tuple(waiting[:SHOWN]),
        waiting_own=len(waiting),
        waiting_all=len(found),
        controller=controller(),
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
    return ControllerStatus(bool(living), beats[0].time, shown.engine, shown.trouble)
