"""Removes what ended attempts have left, where that could not be done at their end: the engine was away.

Covered: attempts whose run folder still has .work, and jobs that the engine keeps for attempts of this data folder that
are not active: by the name, `palio-<identity>-<stage>`, and the run folder of that identity. Jobs of others on the same
engine are left alone. Not covered: what was made under other names, by hand.
"""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from palio.core.attempt import OUTPUT, Attempt
from palio.core.errors import PalioError
from palio.core.evaluate import Evaluation
from palio.core.job import Engine, Job, Limits
from palio.core.run_folder import RunFolder
from palio.core.states import ENDS
from palio.web.controller import assign
from palio.web.controller.engines import Engines
from palio.web.controller.outcome import Outcome
from palio.web.folders import Folders
from palio.web.models import Attempt as Row

LOOK_S, LOOK_AGAIN_S = 600.0, 5.0  # at everything; at attempts that are known to have left something

_NAME = re.compile(r"palio-([a-z2-7]{16})-[a-z-]+")
_LIMITS = Limits(time_s=0, memory_bytes=0, cpus=0)  # for removal, which goes by names

log = logging.getLogger("palio.controller")


class Tidying:
    """`look` is called by the loop, and decides; a thread does what may take its time."""

    def __init__(self, folders: Folders, engines: Engines, is_active: Callable[[str], bool]) -> None:
        self._folders, self._engines, self._is_active = folders, engines, is_active
        self._noted: set[str] = set()
        self._looked_at_all: float | None = None
        self._looked = 0.0
        self._thread: threading.Thread | None = None

    def note(self, identity: str) -> None:
        """This one has just ended, and may have left something."""
        if (self._folders.runs / identity / ".work").exists():
            self._noted.add(identity)

    def look(self, engine: str) -> None:
        now = time.monotonic()
        if not engine or (self._thread is not None and self._thread.is_alive()):
            return
        is_due = self._looked_at_all is None or now - self._looked_at_all > LOOK_S
        if not is_due and not (self._noted and now - self._looked > LOOK_AGAIN_S):
            return
        if is_due:
            self._looked_at_all = now
            self._noted |= {path.parent.name for path in self._folders.runs.glob("*/.work")}
        self._looked = now
        rows = Row.objects.filter(identity__in=self._noted, state__in=[*ENDS]).select_related(
            "version", "source", "submission__file", "submission__team"
        )
        left = [(row.identity, self._left(row)) for row in rows if not self._is_active(row.identity)]
        self._noted = {
            identity for identity in self._noted if self._is_active(identity)
        }  # the rest is done, or no row's
        self._thread = threading.Thread(target=self._run, args=(engine, left, is_due), daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _left(self, row: Row) -> "tuple[Attempt, str, Outcome] | None":
        """None where nothing can be told of it any more but its name."""
        try:
            given = assign.assignment(row, self._folders)
        except PalioError:
            return None
        return given.attempt, row.engine, Outcome.of_row(row)

    # -- in its thread

    def _run(
        self, engine: str, left: Sequence[tuple[str, "tuple[Attempt, str, Outcome] | None"]], is_due: bool
    ) -> None:
        for identity, known in left:
            try:
                self._remove_left(identity, known)
            except PalioError as error:
                log.warning("What %s has left is removed later: %s", identity, error)
            except Exception:
                log.exception("What %s has left cannot be removed", identity)
        if is_due:
            try:
                self._remove_kept(self._engines.open(engine)[0])
            except PalioError as error:
                log.warning("What is left on the engine is looked for later: %s", error)
            except Exception:
                log.exception("What is left on the engine cannot be removed")

    def _remove_left(self, identity: str, known: "tuple[Attempt, str, Outcome] | None") -> None:
        root = self._folders.runs / identity
        if known is None:
            shutil.rmtree(root / ".work", ignore_errors=True)
            return
        attempt, engine_name, outcome = known
        engine = self._engines.open(engine_name)[0]
        evaluation = Evaluation(attempt, engine, RunFolder.open(root))
        if outcome.failure is not None:
            evaluation.fail(outcome.failure)
        else:
            evaluation.cancel()
        if (root / ".work").exists():
            self._noted.add(identity)

    def _remove_kept(self, engine: Engine) -> None:
        for name in engine.kept():
            match = _NAME.fullmatch(name)
            if match is None or self._is_active(match[1]) or not (self._folders.runs / match[1]).is_dir():
                continue
            log.warning("%s is still on the engine although its attempt has ended, and is removed", name)
            engine.remove(Job(name, "", _LIMITS, Path(), OUTPUT))
