"""The engine that attempts run on: found once, kept to, and looked at from time to time."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from palio.core.engine import Enforcement, Engine
from palio.core.errors import PalioError
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
    """`name` is empty until an engine was found; `trouble` says in a sentence why it cannot be used now.

    `unenforced`: the properties of a job's isolation that this engine does not enforce on this machine.
    """

    name: str = ""
    description: str = ""
    trouble: str = ""
    unenforced: tuple[str, ...] = ()
    runs_in_parallel: bool = True


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

    def wake(self) -> None:
        """An attempt has found that the engine cannot be reached: it is looked at now."""
        if not self.found.trouble:
            self._woken.set()

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
                return Found(
                    engine.name,
                    engine.describe(),
                    unenforced=unenforced(engine),
                    runs_in_parallel=engine.runs_in_parallel,
                )
            fault = self._engines.fault(name)
            return replace(self.found, trouble=f"{_sentence(fault.reason)} {fault.next_step}" if fault else "")
        except PalioError as error:
            return replace(self.found, trouble=f"{error.failure.message} {error.failure.next_step}")

    def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                self.look()
            except Exception:
                log.exception("Looking at the engine failed")
            self._woken.wait(LOOK_AGAIN_S if self.found.trouble or not self.found.name else LOOK_S)


def unenforced(engine: Engine) -> tuple[str, ...]:
    return tuple(each.property for each in engine.guarantees() if each.enforcement is Enforcement.NONE)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
