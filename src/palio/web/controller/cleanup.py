"""Removes what belongs to no attempt any more, at the start and from time to time: the engine was away, or somebody was
killed in the middle.

Covered: attempts whose run folder still has .work; jobs that the engine keeps under the name `palio-<identity>-<stage>`
for attempts of this data folder or database that are not active; input copies that were only half made. Jobs of other
platforms on the same engine are left alone. Not covered: what was made under other names, by hand.
"""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence

from palio.core.attempt.states import ENDS
from palio.core.errors import PalioError
from palio.core.files.staging import settle
from palio.web.config.data_folder import Folders
from palio.web.controller import assign
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.engines import Engines
from palio.web.controller.stepping import Order
from palio.web.controller.worker import Workers
from palio.web.models import Attempt as Row

LOOK_S, LOOK_AGAIN_S = 600.0, 5.0  # at everything; at attempts that are known to have left something
REMOVAL_S = 600.0  # for a worker that removes what one attempt has left

_NAME = re.compile(r"palio-([a-z2-7]{16})-[a-z-]+")

log = logging.getLogger("palio.controller")


class Tidying:
    """`look` is called by the loop, and decides; a thread does what may take its time."""

    def __init__(self, folders: Folders, engines: Engines, workers: Workers, is_active: Callable[[str], bool]) -> None:
        self._folders, self._engines, self._workers, self._is_active = folders, engines, workers, is_active
        self._noted: set[str] = set()
        self._kept: list[str] = []  # what the thread has found on the engine, and nobody has decided about
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
        if not is_due and not self._kept and not (self._noted and now - self._looked > LOOK_AGAIN_S):
            return
        if is_due:
            self._looked_at_all = now
            self._noted |= {path.parent.name for path in self._folders.runs.glob("*/.work")}
        self._looked = now
        rows = Row.objects.filter(identity__in=self._noted, state__in=[*ENDS]).select_related(
            "version", "source", "submission__file", "submission__team"
        )
        left = [(row.identity, self._left(row)) for row in rows if not self._is_active(row.identity)]
        unneeded = self._unneeded(self._kept)
        self._noted = {
            identity for identity in self._noted if self._is_active(identity)
        }  # the rest is done, or no row's
        self._kept = []
        self._thread = threading.Thread(target=self._run, args=(engine, left, unneeded, is_due), daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _left(self, row: Row) -> tuple[Assignment, Outcome] | None:
        """None where nothing was started."""
        return (assign.assignment(row, self._folders), Outcome.of_row(row)) if row.engine else None

    def _unneeded(self, names: Sequence[str]) -> list[str]:
        """Those that are provably this platform's, and of no active attempt."""
        by_name = {name: match[1] for name in names if (match := _NAME.fullmatch(name))}
        known = set(Row.objects.filter(identity__in=set(by_name.values())).values_list("identity", flat=True))
        return [
            name
            for name, identity in by_name.items()
            if not self._is_active(identity) and (identity in known or (self._folders.runs / identity).is_dir())
        ]

    # -- in its thread

    def _run(
        self,
        engine: str,
        left: Sequence[tuple[str, tuple[Assignment, Outcome] | None]],
        unneeded: Sequence[str],
        is_due: bool,
    ) -> None:
        for identity, known in left:
            self._try(f"what {identity} has left", lambda: self._remove_left(identity, known))  # noqa: B023
        if unneeded:
            log.warning("%s are still on the engine although their attempts have ended", ", ".join(unneeded))
            self._try("what is left on the engine", lambda: self._workers.remove(engine, unneeded))
        if is_due:
            self._try("half-made input copies", lambda: settle(self._folders.inputs))
            self._try("what is left on the engine", lambda: self._look_at(engine))

    def _try(self, what: str, remove: Callable[[], object]) -> None:
        try:
            remove()
        except PalioError as error:
            log.warning("Removing %s is tried again later: %s", what, error)
        except Exception:
            log.exception("Removing %s failed", what)

    def _remove_left(self, identity: str, known: tuple[Assignment, Outcome] | None) -> None:
        work = self._folders.runs / identity / ".work"
        if known is not None:
            given, outcome = known
            worker = self._workers.start(given, outcome.failure or Order.CANCEL, lambda: None, lambda: None)
            worker.join(REMOVAL_S)
            if worker.is_alive:
                worker.kill()
                worker.join(REMOVAL_S)
            if work.exists() and self._engines.fault(given.engine) is not None:
                self._noted.add(identity)
                return
        shutil.rmtree(work, ignore_errors=True)  # its jobs, if there are any, are found on the engine by their names

    def _look_at(self, engine: str) -> None:
        self._kept = sorted(self._engines.open(engine)[0].job_names())
