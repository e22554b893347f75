"""The engine that attempts run on: detected once, then checked at intervals."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from palio.core.engine import Enforcement, Engine
from palio.core.errors import PalioError
from palio.engines import find_fault, open_engine
from palio.engines.fault import Unavailable

LOOK_S, LOOK_AGAIN_S = 30.0, 2.0  # between checks of a reachable and of an unreachable engine
OPEN_AGAIN_S = 300.0  # an engine that does not enforce something; a cluster may have been starting when it was tested

log = logging.getLogger("palio.controller")


@dataclass(frozen=True)
class Engines:
    """Opens engines, and says why one cannot be used now; None if it can."""

    open: Callable[[str], tuple[Engine, str]] = open_engine
    fault: Callable[[str], Unavailable | None] = find_fault


@dataclass(frozen=True)
class Found:
    """`name` is empty until an engine is found; `trouble` is one sentence on why it cannot be used now.

    `unenforced`: the isolation properties that this engine does not enforce on this machine.
    """

    name: str = ""
    description: str = ""
    trouble: str = ""
    unenforced: tuple[str, ...] = ()
    runs_in_parallel: bool = True


class EngineWatch:
    """`found` is the result of the latest check; `check_s` is how long the engine took to respond, None if it did not.

    An engine that does not enforce something is opened again every few minutes: its cluster may have been starting.

    With `auto`, the first engine found is kept: while it restarts, submissions must not move to one that isolates less.
    For the same reason, `before` is the engine that attempts last ran on.
    """

    def __init__(
        self,
        asked: str,
        engines: Engines,
        changed: threading.Event,
        before: str = "",
        *,
        open_again_s: float = OPEN_AGAIN_S,
    ) -> None:
        self.found = Found()
        self.check_s: float | None = None
        self._asked, self._engines, self._changed, self._before = asked, engines, changed, before
        self._open_again_s = open_again_s
        self._woken = threading.Event()
        self._opened = 0.0  # monotonic

    def start(self) -> None:
        threading.Thread(target=self._run, name="palio-engine-watch", daemon=True).start()

    def wake(self) -> None:
        """An attempt found the engine unreachable: check it now."""
        if not self.found.trouble:
            self._woken.set()

    def look(self) -> None:
        seen = self._look()
        if seen != self.found:
            if seen.trouble:
                log.warning("Submissions cannot start: %s", seen.trouble)
            elif self.found.trouble:
                log.info("Submissions can start again, on %s", seen.description)
            self.found = seen
            self._changed.set()

    def _look(self) -> Found:
        name = self.found.name or self._asked
        try:
            is_old = time.monotonic() - self._opened > self._open_again_s
            if not self.found.name or (self.found.unenforced and is_old):
                engine, _ = self._engines.open(name)
                self._opened = time.monotonic()
                if name == "auto" and self._before == "docker" != engine.name:
                    self._engines.open(self._before)  # raises with the reason if it cannot be used
                return Found(
                    engine.name,
                    engine.describe(),
                    unenforced=unenforced(engine),
                    runs_in_parallel=engine.runs_in_parallel,
                )
            begin = time.monotonic()
            fault = self._engines.fault(name)
            self.check_s = None if fault else time.monotonic() - begin
            return replace(self.found, trouble=f"{_sentence(fault.reason)} {fault.next_step}" if fault else "")
        except PalioError as error:
            return replace(self.found, trouble=f"{error.failure.message} {error.failure.next_step}")

    def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                self.look()
            except Exception:
                log.exception("Checking the engine failed")
            self._woken.wait(LOOK_AGAIN_S if self.found.trouble or not self.found.name else LOOK_S)


def unenforced(engine: Engine) -> tuple[str, ...]:
    return tuple(each.property for each in engine.guarantees() if each.enforcement is Enforcement.NONE)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
