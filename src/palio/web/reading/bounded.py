"""Reads files and texts of participants and organizers in a child process, within limits, and nowhere else.

Whatever a file does to its reader becomes a message for its sender: a limit it exceeds, or a bug it triggers, whose
traceback goes to the log. No message names a folder of this machine. `readers` has the functions that the child runs.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Condition
from typing import Any

from django.conf import settings

from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.errors import PalioError
from palio.core.quantities import MIB

SUBMISSION = Bounds(time_s=20, memory_bytes=768 * MIB, answer_bytes=MIB)
BUNDLE = Bounds(time_s=30)
TEXTS = Bounds(time_s=5, memory_bytes=512 * MIB)
_WAIT_S = 20.0

_log = logging.getLogger("palio.reading")


def read_bounded(
    function: Callable[..., Any], *arguments: Any, bounds: Bounds, code: str, name: str, folder: Path | None = None
) -> Any:
    """The result of `function`. Raises its PalioErrors with paths relative to `folder`, or `code`."""
    try:
        return call_bounded(function, *arguments, bounds=bounds)
    except BoundsError as limit:
        raise PalioError(code, name=name, reason=str(limit)) from None
    except PalioError as error:
        raise without_folder(error, folder) from None
    except RuntimeError:
        _log.exception("%s broke the program that reads it", function.__name__)
        reason = "it crashed the program that reads it; the operator can see details in the log"
        raise PalioError(code, name=name, reason=reason) from None


def without_folder(error: PalioError, folder: Path | None) -> PalioError:
    """The text with paths relative to the folder, and without characters that no page can show."""
    places = [f"{place}/" for place in dict.fromkeys((folder.resolve(), folder))] if folder else []

    def cleaned(text: str) -> str:
        for place in places:
            text = text.replace(place, "")
        return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()

    failure = error.failure
    evidence = tuple(cleaned(line) for line in failure.evidence)
    return PalioError.of(
        replace(failure, message=cleaned(failure.message), next_step=cleaned(failure.next_step), evidence=evidence)
    )


class Places:
    """Limits how many files are read at a time, in total and per owner; some more wait, and others are refused.

    A thread that waits, or whose child takes long, cannot answer other requests.
    """

    def __init__(self, at_once: int, *, each: int, waiting: int) -> None:
        self._at_once, self._each, self._may_wait = at_once, each, waiting
        self._taken: Counter[str] = Counter()
        self._waiting = 0
        self._changed = Condition()

    @contextmanager
    def taken_by(self, owner: str) -> Iterator[None]:
        """Take a place. Raises PalioError "uploads-busy"."""
        with self._changed:
            if self._is_full(owner):
                self._wait(owner)
            self._taken[owner] += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= Counter([owner])
                self._changed.notify_all()

    def _is_full(self, owner: str) -> bool:
        return self._taken.total() >= self._at_once or self._taken[owner] >= self._each

    def _wait(self, owner: str) -> None:
        free = False
        if self._waiting < self._may_wait:
            self._waiting += 1
            free = self._changed.wait_for(lambda: not self._is_full(owner), _WAIT_S)
            self._waiting -= 1
        if not free:
            raise PalioError("uploads-busy")


_THREADS: int = settings.CONFIGURATION.threads  # of which a quarter is left to other requests
SUBMISSIONS = Places(max(1, _THREADS // 4), each=2, waiting=_THREADS // 2)
BUNDLES = Places(2, each=1, waiting=2)
