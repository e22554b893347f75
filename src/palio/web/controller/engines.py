"""The engine that attempts run on: found once, kept to, and looked at from time to time."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from palio.core.errors import PalioError
from palio.core.job import Engine
from palio.engines import find_fault, open_engine
from palio.engines.fault import Unavailable

LOOK_S, LOOK_AGAIN_S = 30.0, 2.0  # between looks at an engine that answers, and at one that does not

log = logging.getLogger("palio.controller")


@dataclass(frozen=True)
class Engines:
    """Where engines come from, and why one cannot be used now; None if it can."""

    open: Callable[[str], tuple[Engine, str]] = open_engine
    fault: Callable[[str], Unavailable | None] = find_fault


@dataclass(frozen=True)
class Found:
    """`name` is empty until an engine was found; `trouble` says in a sentence why it cannot be used now."""

    name: str = ""
    description: str = ""
    trouble: str = ""


class EngineWatch:
    """`found` is the last that was seen.

    With `auto`, what was found once stays: an engine that is restarting must not send submissions to one that isolates
    them less. `before` is the engine that attempts ran on last, for the same reason.
    """

    def __init__(self, asked: str, engines: Engines, changed: threading.Event, before: str = "") -> None:
        self.found = Found()
        self._asked, self._engines, self._changed, self._before = asked, engines, changed, before
        self._woken = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="palio-engine-watch", daemon=True).start()

    def noticing(self) -> Engines:
        """The same engines, for attempts: what they find is looked at here at once."""

        def find_fault(name: str) -> Unavailable | None:
            fault = self._engines.fault(name)
            if fault is not None and not self.found.trouble:
                self._woken.set()
            return fault

        return Engines(self._engines.open, find_fault)

    def look(self) -> None:
        seen = self._look()
        if seen != self.found:
            if seen.trouble:
                log.warning("No submission can be started: %s", seen.trouble)
            elif self.found.trouble:
                log.info("Submissions can be started again, on %s", seen.description)
            self.found = seen
            self._changed.set()

    def _look(self) -> Found:
        name = self.found.name or self._asked
        try:
            if not self.found.name:
                engine, _ = self._engines.open(name)
                if name == "auto" and self._before == "docker" != engine.name:
                    self._engines.open(self._before)  # raises, with the reason why it cannot be used
                return Found(engine.name, engine.describe())
            if fault := self._engines.fault(name):
                return Found(name, self.found.description, f"{_sentence(fault.reason)} {fault.next_step}")
            return Found(name, self.found.description)
        except PalioError as error:
            failure = error.failure
            return Found(self.found.name, self.found.description, f"{failure.message} {failure.next_step}")

    def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                self.look()
            except Exception:
                log.exception("Looking at the engine failed")
            self._woken.wait(LOOK_AGAIN_S if self.found.trouble or not self.found.name else LOOK_S)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
