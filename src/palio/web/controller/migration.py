"""Looks every few seconds for submissions that a phase takes over from the one before (verbs.migrate), in a thread."""

import logging
import time
from collections.abc import Callable

from django.utils import timezone

from palio.web.controller.background import in_thread
from palio.web.models import Challenge
from palio.web.verbs.migrate import migrate

LOOK_S = 10.0

log = logging.getLogger("palio.controller")


class PhaseMigration:
    """`look` is called by the loop. Another `start` than `in_thread` is for tests."""

    def __init__(self, start: Callable[[Callable[[], None]], None] = in_thread) -> None:
        self._start, self._is_running = start, False
        self._next = time.monotonic() + LOOK_S

    def look(self) -> None:
        if self._is_running or time.monotonic() < self._next:
            return
        self._next, self._is_running = time.monotonic() + LOOK_S, True
        self._start(self.update_all)

    def update_all(self) -> None:
        try:
            listed = Challenge.objects.exclude(current=None).exclude(visibility=Challenge.Visibility.ARCHIVED)
            for challenge in listed.select_related("current"):
                try:
                    migrate(challenge, timezone.now())
                except Exception:
                    log.exception("Migrating submissions to the next phase failed; it is tried again later")
        finally:
            self._is_running = False
