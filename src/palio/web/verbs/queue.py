"""Order of the queue: round robin over challenges, then over teams; first come, first served within a team.

The team that was started last comes last, and starts are in the database: so the order is the same for the controller,
which follows it, and for pages, which show it, and survives restarts. The re-score of a phase counts as one more team
of its challenge, so that new submissions do not wait for all of it.
"""

import statistics
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heapreplace

from django.conf import settings
from django.db.models import QuerySet, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from palio.core.attempt.states import RUNNING, State
from palio.web.models import Attempt, ControllerBeat

LONGEST_WAIT = timedelta(minutes=5)  # before a retry
LATE = timedelta(seconds=30)  # without a heartbeat before a controller counts as stopped
_HEAD = 8  # attempts of a lane that are read at a time
_RECENT = 500  # latest starts; a team not among them has not been served for long
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """An attempt in the queue. `lane`: its team, or its re-score."""

    identity: str
    challenge: int
    lane: str
    created: datetime
    phase: str = ""
    not_before: datetime = _NEVER

    def is_due(self, now: datetime) -> bool:
        """Nothing waits longer than LONGEST_WAIT: a longer wait means that the clock was set back."""
        return not now < self.not_before <= now + LONGEST_WAIT


@dataclass(frozen=True)
class Start:
    """A started attempt, and how long it ran if it has finished."""

    challenge: int
    lane: str
    phase: str
    started: datetime
    lasted: timedelta | None


@dataclass(frozen=True)
class Place:
    """`number` starts at 1, which is next. `wait` is None if no earlier evaluation gives an estimate.

    After a platform error, an attempt waits until `not_before` and has no number.
    """

    number: int | None
    of: int
    wait: timedelta | None
    not_before: datetime | None = None


def in_turn(waiting: Iterable[Waiting], recent: Sequence[Start]) -> list[Waiting]:
    """The attempts in the order in which they will start. `recent` has the latest first."""
    lanes: dict[int, dict[str, deque[Waiting]]] = {}
    for each in sorted(waiting, key=lambda each: (each.created, each.identity)):
        lanes.setdefault(each.challenge, {}).setdefault(each.lane, deque()).append(each)
    served: dict[tuple[int, str], datetime] = {}
    for start in reversed(recent):
        served[start.challenge, ""] = served[start.challenge, start.lane] = start.started
    by_challenge = {
        challenge: deque(_round_robin((served.get((challenge, lane), _NEVER), queue) for lane, queue in own.items()))
        for challenge, own in lanes.items()
    }
    return list(_round_robin((served.get((challenge, ""), _NEVER), queue) for challenge, queue in by_challenge.items()))


def _round_robin(queues: Iterable[tuple[datetime, deque[Waiting]]]) -> Iterator[Waiting]:
    """Alternate between lanes: first the one served longest ago, then the one that came first."""
    heads = [(0, last, queue[0].created, queue[0].identity, queue) for last, queue in queues]
    heapify(heads)
    count = 0
    while heads:
        *_, queue = heads[0]
        yield queue.popleft()
        count += 1
        if queue:
            heapreplace(heads, (count, _NEVER, queue[0].created, queue[0].identity, queue))
        else:
            heappop(heads)


def next_due(free: int, without: Collection[tuple[int, str]] = ()) -> Iterator[Waiting]:
    """The attempts that start next, in order: about `free` of them, if there are so many, and at least one.

    `without`: phases, by challenge and name, whose attempts are passed over. Reads only the head of each lane, and
    stops where it does not know what comes next.
    """
    most = min(free, _HEAD)
    now = timezone.now()
    due = _queued().exclude(not_before__gt=now, not_before__lte=now + LONGEST_WAIT)  # as is_due
    for challenge, phase in without:
        due = due.exclude(submission__challenge_id=challenge, submission__phase=phase)
    lane = ["submission__challenge_id", "submission__team_id", "rescore_id"]
    in_lane = Window(RowNumber(), partition_by=lane, order_by=["created", "identity"])
    heads = _waiting(due.annotate(in_lane=in_lane).filter(in_lane__lte=most))
    seen: Counter[tuple[int, str]] = Counter()
    for each in in_turn(heads, recent_starts()) if heads else ():
        yield each
        seen[each.challenge, each.lane] += 1
        if seen[each.challenge, each.lane] == most:
            return


def waiting_now() -> list[Waiting]:
    """The whole queue, unordered."""
    return _waiting(_queued())


def _queued() -> QuerySet[Attempt]:
    return Attempt.objects.filter(state=State.QUEUED, cancel_requested=None)


def _waiting(attempts: QuerySet[Attempt]) -> list[Waiting]:
    rows = attempts.values_list(
        "identity",
        "submission__challenge_id",
        "rescore_id",
        "submission__team_id",
        "created",
        "submission__phase",
        "not_before",
    )
    return [
        Waiting(identity, challenge, lane(team, rescore), created, phase, not_before)
        for identity, challenge, rescore, team, created, phase, not_before in rows
    ]


def recent_starts() -> list[Start]:
    """Latest first."""
    rows = (
        Attempt.objects.filter(started__isnull=False)
        .order_by("-started")
        .values_list(
            "submission__challenge_id", "rescore_id", "submission__team_id", "submission__phase", "started", "finished"
        )[:_RECENT]
    )
    return [
        Start(challenge, lane(team, rescore), phase, started, finished - started if finished else None)
        for challenge, rescore, team, phase, started, finished in rows
        if started is not None
    ]


def living_controllers(now: datetime | None = None) -> list[ControllerBeat]:
    """Latest heartbeat first. `now` is the database's time unless given."""
    beats = ControllerBeat.objects.exclude(process="").order_by("-time", "pk")
    return list(beats.filter(time__gt=(now or Now()) - LATE))


def slots() -> int:
    """Of all living controllers together; what is configured here if there are none."""
    return sum(beat.slots for beat in living_controllers()) or settings.CONFIGURATION.slots


def lane(team: str, rescore: str | None) -> str:
    return f"rescore-{rescore}" if rescore else team


def places(now: datetime | None = None) -> dict[str, Place]:
    """For each waiting attempt, by identity: its place in the queue and its estimated wait."""
    now = now or timezone.now()
    waiting, recent = waiting_now(), recent_starts()
    ready = in_turn((each for each in waiting if each.is_due(now)), recent)
    running = Attempt.objects.filter(state__in=[*RUNNING]).values_list(
        "submission__challenge_id", "submission__phase", "started"
    )
    usual = _Usual(recent)
    waits = _waits(
        [
            max(usual.duration(challenge, phase) - (now - (started or now)), timedelta(seconds=1))
            for challenge, phase, started in running
        ],
        [usual.duration(each.challenge, each.phase) for each in ready],
        slots(),
    )
    found = {
        each.identity: Place(number, len(waiting), wait if usual.is_known else None)
        for number, (each, wait) in enumerate(zip(ready, waits, strict=True), start=1)
    }
    for each in waiting:
        if not each.is_due(now):
            found[each.identity] = Place(None, len(waiting), each.not_before - now, each.not_before)
    return found


class _Usual:
    """Usual duration of attempts: the median of the phase, else of the challenge, else of all."""

    def __init__(self, recent: Sequence[Start]) -> None:
        self._of: dict[tuple[int, str] | int | None, list[timedelta]] = {}
        for start in recent:
            if start.lasted is not None:
                for key in ((start.challenge, start.phase), start.challenge, None):
                    self._of.setdefault(key, []).append(start.lasted)
        self._medians: dict[tuple[int, str] | int | None, timedelta] = {
            key: timedelta(seconds=statistics.median(each.total_seconds() for each in durations))
            for key, durations in self._of.items()
        }

    @property
    def is_known(self) -> bool:
        return bool(self._medians)

    def duration(self, challenge: int, phase: str) -> timedelta:
        for key in ((challenge, phase), challenge, None):
            if key in self._medians:
                return self._medians[key]
        return timedelta()


def _waits(running: Sequence[timedelta], queue: Sequence[timedelta], slots: int) -> list[timedelta]:
    """When each waiting attempt would start if all take their usual time."""
    free = sorted(running)[:slots]
    free += [timedelta()] * (slots - len(free))
    heapify(free)
    waits = []
    for duration in queue:
        waits.append(free[0])
        heapreplace(free, free[0] + duration)
    return waits
