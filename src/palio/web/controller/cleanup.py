"""Removes leftovers of finished attempts, at the start and at intervals, after the engine was unreachable or a process
was killed.

Covered: attempts whose run folder still has `.work`; jobs named `palio-<identity>-<stage>` on the engine that belong
to inactive attempts of this data folder or database; incomplete copies of inputs. Jobs of other platforms on the same
engine are not touched. Not covered: containers or images made by hand under other names.
"""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from palio.core.attempt.states import ENDS
from palio.core.errors import PalioError
from palio.core.files.staging import settle
from palio.web.config.data_folder import Folders
from palio.web.config.log_format import about
from palio.web.controller import assign
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.engines import Engines
from palio.web.controller.stepping import Order
from palio.web.controller.worker import Workers
from palio.web.models import Attempt as Row
from palio.web.models import SampleRepeat

LOOK_S, LOOK_AGAIN_S = 600.0, 5.0  # for a full search; for attempts known to have left something
REMOVAL_S = 600.0  # for a worker that removes the leftovers of one attempt

_NAME = re.compile(r"palio-([a-z2-7]{16})-[a-z-]+")

log = logging.getLogger("palio.controller")


@dataclass(frozen=True)
class _Left:
    """The leftovers of a finished attempt; `started` is None if it never started a job."""

    identity: str
    submission: str
    started: tuple[Assignment, Outcome] | None


@dataclass(frozen=True)
class _Unneeded:
    """A job on the engine of an attempt that is not active."""

    name: str
    identity: str
    submission: str


class Cleanup:
    """`look` is called by the loop and decides; a thread does the slow work."""

    def __init__(self, folders: Folders, engines: Engines, workers: Workers) -> None:
        self._folders, self._engines, self._workers = folders, engines, workers
        self._noted: set[str] = set()
        self._kept: dict[str, list[str]] = {}  # found on each engine by the thread, not decided yet
        self._has_found = False  # run folders with leftovers, in the thread
        self._looked_at_all: float | None = None
        self._looked = 0.0
        self._thread: threading.Thread | None = None

    def note(self, identity: str) -> None:
        """This attempt has just ended and may have left something."""
        if (self._folders.runs / identity / ".work").exists():
            self._noted.add(identity)

    def look(self, engines: Sequence[str]) -> None:
        """`engines` are those that respond, by name; a name may be empty."""
        now, engines = time.monotonic(), [*filter(None, dict.fromkeys(engines))]
        if not engines or (self._thread is not None and self._thread.is_alive()):
            return
        is_due = self._looked_at_all is None or now - self._looked_at_all > LOOK_S
        is_next = self._has_found or bool(self._kept)
        if not is_due and not is_next and not (self._noted and now - self._looked > LOOK_AGAIN_S):
            return
        if is_due:
            self._looked_at_all = now
        self._looked, self._has_found = now, False
        rows = Row.objects.filter(identity__in=self._noted, state__in=[*ENDS]).select_related(
            "version", "source", "submission__file", "submission__team"
        )
        left = [self._left(row) for row in rows]
        unneeded = {engine: self._unneeded(names) for engine, names in self._kept.items()}
        self._noted = _unfinished(self._noted)  # the rest is done or belongs to no row
        self._kept = {}
        self._thread = threading.Thread(target=self._run, args=(engines, left, unneeded, is_due), daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _left(self, row: Row) -> _Left:
        started = (assign.assignment(row, self._folders), Outcome.of_row(row)) if row.engine else None
        return _Left(row.identity, row.submission_id, started)

    def _unneeded(self, names: Sequence[str]) -> list[_Unneeded]:
        """The jobs that certainly belong to this platform and to no attempt that any controller may be evaluating."""
        by_name = {name: match[1] for name in names if (match := _NAME.fullmatch(name))}
        known = dict(Row.objects.filter(identity__in=set(by_name.values())).values_list("identity", "submission"))
        unfinished = _unfinished(set(by_name.values()))
        return [
            _Unneeded(name, identity, known.get(identity, ""))
            for name, identity in by_name.items()
            if identity not in unfinished and (identity in known or (self._folders.runs / identity).is_dir())
        ]

    # -- in the thread

    def _run(
        self,
        engines: Sequence[str],
        left: Sequence[_Left],
        unneeded: Mapping[str, Sequence[_Unneeded]],
        is_due: bool,
    ) -> None:
        for each in left:
            with about(each.identity, each.submission):
                self._try(f"the leftovers of {each.identity}", partial(self._remove_left, each))
        for engine, jobs in unneeded.items():
            for job in jobs:
                with about(job.identity, job.submission):
                    log.warning("Removing %s from the engine: its attempt is not running", job.name)
            if names := [job.name for job in jobs]:
                self._try("leftovers on the engine", partial(self._workers.remove, engine, names))
        if is_due:
            self._try("leftovers in run folders", self._look_at_folders)
            self._try("incomplete copies of inputs", lambda: settle(self._folders.inputs))
            for engine in engines:
                self._try("leftovers on the engine", partial(self._look_at, engine))

    def _try(self, what: str, remove: Callable[[], object]) -> None:
        try:
            remove()
        except PalioError as error:
            log.warning("Cannot remove %s yet; retrying later: %s", what, error)
        except Exception:
            log.exception("Cannot remove %s", what)

    def _remove_left(self, left: _Left) -> None:
        work = self._folders.runs / left.identity / ".work"
        if left.started is not None:
            given, outcome = left.started
            worker = self._workers.start(given, outcome.failure or Order.CANCEL, lambda: None, lambda: None)
            worker.join(REMOVAL_S)
            if worker.is_alive:
                worker.kill()
                worker.join(REMOVAL_S)
            if work.exists() and self._engines.fault(given.engine) is not None:
                self._noted.add(left.identity)
                return
        shutil.rmtree(work, ignore_errors=True)  # its jobs, if any, are found on the engine by name

    def _look_at_folders(self) -> None:
        """Takes long where many attempts have finished."""
        found = {path.parent.name for path in self._folders.runs.glob("*/.work")}
        self._noted |= found
        self._has_found = bool(found)

    def _look_at(self, engine: str) -> None:
        if names := sorted(self._engines.open(engine)[0].job_names()):
            self._kept[engine] = names


def _unfinished(identities: set[str]) -> set[str]:
    found = Row.objects.filter(identity__in=identities).exclude(state__in=[*ENDS])
    repeats = SampleRepeat.objects.filter(identity__in=identities, finished=None)
    return {*found.values_list("identity", flat=True), *repeats.values_list("identity", flat=True)}
