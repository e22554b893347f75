"""Chooses the phase and task that a submission is evaluated for."""

from datetime import UTC, datetime

from palio.core.bundle.model import Bundle, Phase, Task
from palio.core.errors import PalioError


def pick_phase(bundle: Bundle, name: str | None, now: datetime | None = None) -> Phase:
    """Returns the named phase; without a name, the open phase, else the last one that started, else the first.

    Dates do not prevent evaluation on one's own machine; only the platform enforces them.
    """
    if name is not None:
        for phase in bundle.phases:
            if phase.name.casefold() == name.casefold():
                return phase
        names = ", ".join(f"“{phase.name}”" for phase in bundle.phases)
        raise PalioError("phase-unknown", phase=name, phases=names)
    now = now or datetime.now(UTC)
    begun = [phase for phase in bundle.phases if phase.start <= now]
    return begun[-1] if begun else bundle.phases[0]


def pick_task(phase: Phase) -> Task:
    """Returns the phase's only task. Raises PalioError "tasks-several" if it has more, which is not supported yet."""
    if len(phase.tasks) != 1:
        raise PalioError("tasks-several", phase=phase.name, count=len(phase.tasks))
    return phase.tasks[0]
