"""Requirements of a phase: the resources of its attempts, and the time limits of its stages.

Read from the bundle in a process of its own with limits, outside the loop, and cached: a bundle that breaks its reader
harms only its own submissions. `read_requirements` runs in that process and does not import Django.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import time_in
from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.bundle.pick_phase import pick_phase
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError
from palio.web.controller.slots import Share, share_of

BOUNDS = Bounds(time_s=60.0)

log = logging.getLogger("palio.controller")


@dataclass(frozen=True)
class Requirements:
    """`scored` is the share of an attempt that only scores predictions, `evaluated` of any other. `engine` is the name
    of the engine that the phase asks for, or empty.
    """

    evaluated: Share
    scored: Share
    times: Mapping[Stage, timedelta]
    engine: str = ""

    def share(self, *, only_scored: bool) -> Share:
        return self.scored if only_scored else self.evaluated


def read_requirements(bundle: str, phase_name: str) -> dict[str, Any]:
    """Raises PalioError if the bundle cannot be read or the phase cannot be evaluated."""
    phase = pick_phase(read_bundle(Path(bundle)), phase_name)
    return {
        "evaluated": asdict(share_of(phase.rules, scored_only=False)),
        "scored": asdict(share_of(phase.rules, scored_only=True)),
        "times": {stage: time_in(stage, phase).total_seconds() for stage in Stage},
        "engine": phase.rules.engine,
    }


class RequirementsReader:
    """`changed` is called when requirements that were asked for have been read."""

    def __init__(self, changed: Callable[[], None], read: Callable[[str, str], dict[str, Any]] | None = None) -> None:
        self._changed, self._call = changed, read or _read_bounded
        self._known: dict[tuple[Path, str], Requirements] = {}  # a bundle never changes under its digest
        self._failed: dict[tuple[Path, str], Exception] = {}
        self._reading: set[tuple[Path, str]] = set()

    def of(self, bundle: Path, phase: str) -> Requirements | None:
        """None while they are being read. A failure is raised once; the next call reads again."""
        key = bundle, phase
        if known := self._known.get(key):
            return known
        if failed := self._failed.pop(key, None):
            raise failed
        if key not in self._reading:
            self._reading.add(key)
            threading.Thread(target=self._read, args=key, name="palio-terms", daemon=True).start()
        return None

    # -- in a thread

    def _read(self, bundle: Path, phase: str) -> None:
        key = bundle, phase
        try:
            found = self._call(str(bundle), phase)
            self._known[key] = Requirements(
                Share(**found["evaluated"]),
                Share(**found["scored"]),
                {Stage(stage): timedelta(seconds=seconds) for stage, seconds in found["times"].items()},
                found["engine"],
            )
        except Exception as error:  # noqa: BLE001 - raised where it is asked for
            self._failed[key] = error
        self._reading.discard(key)
        self._changed()


def _read_bounded(bundle: str, phase: str) -> dict[str, Any]:
    for attempt in (1, 2):  # the machine may have been busy the first time
        try:
            found: dict[str, Any] = call_bounded(read_requirements, bundle, phase, bounds=BOUNDS)
            break
        except BoundsError as error:
            log.warning("Reading %s failed: %s", bundle, error)
            if attempt == 2:
                raise PalioError("challenge-over-limits", reason=error) from None
    return found
