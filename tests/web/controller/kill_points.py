"""Moments in a worker process at which its controller is killed, and the worker with it. Free of Django."""

import os
import signal
import time
from typing import Any

from palio.core.attempt.progress import Progress
from palio.core.evaluate import Evaluation


def at_note(identity: str, note: str, number: int) -> None:
    write, count = getattr(Progress, note), 0

    def noting(self: Progress, work: Any, *more: Any) -> None:
        nonlocal count
        count += identity in work.name
        if identity in work.name and count == number:
            _die()
        write(self, work, *more)

    setattr(Progress, note, noting)


def at_verdict(identity: str) -> None:
    end = Evaluation._end

    def ending(self: Evaluation, *arguments: Any) -> None:
        self._watch = lambda _: _die() if self.attempt.identity == identity else None
        end(self, *arguments)

    setattr(Evaluation, "_end", ending)  # noqa: B010 - as mypy knows better


def _die() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)  # the kernel ends it before
