"""Messages that leave the platform: each is a row that one controller at a time may send, for the time of a lease.

A message is taken before it is sent and marked afterwards, in transactions of their own; a controller that dies in
between leaves a lease that expires. What follows is up to the channel: a mail may have arrived and is not sent again
(mail), an event for a program is repeated under the same ID (webhooks). A failure is retried after a growing pause, for
three days.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from palio.web.controller.background import in_thread
from palio.web.models import Outgoing

LEASE = timedelta(minutes=5)  # longer than any sending takes
GIVEN_UP = timedelta(days=3)
LONGEST_PAUSE = timedelta(hours=6)  # the first is a minute
KEPT = timedelta(days=30)  # after it was sent or given up

log = logging.getLogger("palio.controller")
Message = TypeVar("Message", bound=Outgoing)


def due(kind: type[Message], count: int) -> QuerySet[Message]:
    """The next messages to send, the oldest first."""
    waiting = kind._default_manager.filter(state=Outgoing.State.WAITING, leased_until=None, due__lte=timezone.now())
    return waiting.order_by("due")[:count]


def take(message: Outgoing) -> bool:
    """Whether it is now this controller's to send; False if another one was faster."""
    waiting = type(message)._default_manager.filter(pk=message.pk, state=Outgoing.State.WAITING, leased_until=None)
    message.leased_until = timezone.now() + LEASE
    return bool(waiting.update(leased_until=message.leased_until))


def interrupted(kind: type[Message]) -> QuerySet[Message]:
    """Messages that somebody took and neither sent nor gave back."""
    return kind._default_manager.filter(state=Outgoing.State.WAITING, leased_until__lt=timezone.now())


def note_sent(message: Outgoing, **more: object) -> None:
    _end(message, state=Outgoing.State.SENT, error="", **more)


def note_failure(message: Outgoing, error: str, *, is_final: bool = False, **more: object) -> None:
    """It is sent again later, unless that is useless or it is too old."""
    now = timezone.now()
    if is_final or now - message.created > GIVEN_UP:
        _end(message, state=Outgoing.State.FAILED, error=error, failures=message.failures + 1, **more)
        return
    changed: dict[str, object] = {
        "error": error,
        "failures": message.failures + 1,
        "due": now + pause_after(message.failures),
    } | more
    _of_lease(message).update(leased_until=None, **changed)


def pause_after(failures: int) -> timedelta:
    """Before it is sent again, if it had failed so often before."""
    return min(timedelta(minutes=4 ** min(failures, 10)), LONGEST_PAUSE)


def remove_old(kind: type[Message]) -> None:
    kind._default_manager.filter(finished__lt=timezone.now() - KEPT).delete()


def _end(message: Outgoing, **changed: object) -> None:
    _of_lease(message).update(leased_until=None, finished=timezone.now(), **changed)


def _of_lease(message: Outgoing) -> "QuerySet[Outgoing]":
    """The row, while our lease lasts."""
    return type(message)._default_manager.filter(pk=message.pk, leased_until=message.leased_until)


class Periodic:
    """A job that the loop starts at intervals in a thread; never twice at a time. `job` returns seconds to wait for the
    next time. `start` runs it; another one than `in_thread` is for tests.
    """

    def __init__(self, job: Callable[[], float], start: Callable[[Callable[[], None]], None] | None = None) -> None:
        self._job, self._start = job, start or in_thread
        self._next, self._is_running = time.monotonic() + FIRST_S, False

    def look(self) -> None:
        if not self._is_running and time.monotonic() >= self._next:
            self._is_running = True
            self._start(self.run)

    def run(self) -> None:
        pause = RETRY_S
        try:
            pause = self._job()
        except (DatabaseError, OSError) as error:
            log.error("%s failed; retrying later: %s", self._job.__name__, error)
        except Exception:
            log.exception("%s failed; retrying later", self._job.__name__)
        finally:
            self._next, self._is_running = time.monotonic() + pause, False


FIRST_S, RETRY_S = 2.0, 60.0  # before the first time; after a failure


class Jobs:
    def __init__(self, jobs: Sequence[Periodic]) -> None:
        self._jobs = jobs

    def look(self) -> None:
        for job in self._jobs:
            job.look()
