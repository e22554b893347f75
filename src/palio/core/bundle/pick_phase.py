"""Chooses the phase of a challenge: by one rule for command line, pages and API."""

from datetime import UTC, datetime

from palio.core.bundle.model import Bundle, Phase
from palio.core.errors import PalioError

SOON, OPEN, CLOSED = "soon", "open", "closed"


def pick_phase(bundle: Bundle, name: str | None, now: datetime | None = None) -> Phase:
    """Returns the named phase; without a name, the open phase, else the next to open, else the last.

    Of phases that run in parallel, the first is taken. Only the platform enforces dates: on their own machine, anyone
    may evaluate for any phase.
    Raises PalioError "phase-unknown".
    """
    if name is not None:
        if phase := find_phase(bundle, name):
            return phase
        names = ", ".join(f"“{phase.name}”" for phase in bundle.phases)
        raise PalioError("phase-unknown", phase=name, phases=names)
    now = now or datetime.now(UTC)
    return next((phase for phase in bundle.phases if phase_state(phase, now) != CLOSED), bundle.phases[-1])


def find_phase(bundle: Bundle, name: str) -> Phase | None:
    """The phase of that name, in capitals or not; None if the bundle has none."""
    exact = next((phase for phase in bundle.phases if phase.name == name), None)
    return exact or next((phase for phase in bundle.phases if phase.name.casefold() == name.casefold()), None)


def phase_state(phase: Phase, now: datetime) -> str:
    """SOON, OPEN or CLOSED. A phase closes at its end, not after it."""
    if now < phase.start:
        return SOON
    return CLOSED if phase.end is not None and phase.end <= now else OPEN
