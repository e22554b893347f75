"""Removes expired data: one task at a time, at intervals, in the loop."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone

from palio.web.models import IdempotentAnswer
from palio.web.verbs.uploads import remove_abandoned

EVERY_S = 600.0
ANSWERS_KEPT = timedelta(days=1)

log = logging.getLogger("palio.controller")


def _answers() -> None:
    IdempotentAnswer.objects.filter(created__lt=timezone.now() - ANSWERS_KEPT).delete()


def _sessions() -> None:
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


CHORES: tuple[Callable[[], object], ...] = (remove_abandoned, _answers, _sessions)  # the cache limits itself


class Expiry:
    def __init__(self) -> None:
        self._next = 0
        self._due = time.monotonic() + EVERY_S / len(CHORES)

    def look(self) -> None:
        """Run the next task if one is due."""
        if time.monotonic() < self._due:
            return
        chore = CHORES[self._next % len(CHORES)]
        self._next += 1
        self._due = time.monotonic() + EVERY_S / len(CHORES)
        try:
            chore()
        except (DatabaseError, OSError) as error:
            log.error("%s failed; retrying later: %s", chore.__name__, error)
