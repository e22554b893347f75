"""Removes expired data: one task at a time, at intervals, in the loop; a thread searches the file store daily."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import DatabaseError, connections
from django.utils import timezone

from palio.core.errors import PalioError
from palio.web.models import IdempotentAnswer
from palio.web.verbs.files import remove_orphans
from palio.web.verbs.uploads import remove_abandoned

EVERY_S, ORPHANS_EVERY_S = 600.0, 24 * 3600.0
ANSWERS_KEPT = timedelta(days=1)

log = logging.getLogger("palio.controller")


def _answers() -> None:
    IdempotentAnswer.objects.filter(created__lt=timezone.now() - ANSWERS_KEPT).delete()


def _sessions() -> None:
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


CHORES: tuple[Callable[[], object], ...] = (remove_abandoned, _answers, _sessions)  # the cache limits itself


def _orphans() -> None:
    """In the thread: listing a large store takes minutes."""
    try:
        if removed := remove_orphans():
            log.info("Removed %d files from the file store that belonged to nobody", removed)
    except (DatabaseError, OSError, PalioError) as error:
        log.error("The file store could not be searched for files of nobody; it will be tomorrow: %s", error)
    finally:
        connections.close_all()


class Expiry:
    def __init__(self) -> None:
        self._next = 0
        self._due = time.monotonic() + EVERY_S / len(CHORES)
        self._orphans_due = time.monotonic() + EVERY_S
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Run the next task if one is due."""
        if time.monotonic() >= self._orphans_due and (self._thread is None or not self._thread.is_alive()):
            self._orphans_due = time.monotonic() + ORPHANS_EVERY_S
            self._thread = threading.Thread(target=_orphans, name="palio-orphans", daemon=True)
            self._thread.start()
        if time.monotonic() < self._due:
            return
        chore = CHORES[self._next % len(CHORES)]
        self._next += 1
        self._due = time.monotonic() + EVERY_S / len(CHORES)
        try:
            chore()
        except (DatabaseError, OSError) as error:
            log.error("%s failed; retrying later: %s", chore.__name__, error)
