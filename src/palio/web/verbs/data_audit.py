"""The data audit of a bundle that is about to be published. Serious findings need a reason to be accepted."""

from dataclasses import dataclass
from pathlib import Path

from palio.core.bounded_call import Bounds
from palio.core.errors import PalioError, counted
from palio.core.quantities import GIB, MIB
from palio.web.reading.bounded import read_bounded
from palio.web.reading.readers import audit_images

READING_S = 15.0  # for files; more are a random sample
MOST_REASON = 2000  # characters
_BOUNDS = Bounds(time_s=120, memory_bytes=3 * GIB, file_bytes=MIB)  # files: the semaphores of its processes
_SHOWN = 20


@dataclass(frozen=True)
class Audited:
    """What the audit found, as sentences."""

    serious: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def audit_data(folder: Path) -> Audited:
    """Audit the data of the bundle in `folder`. An audit that cannot be finished is a warning."""
    try:
        serious, warnings = read_bounded(
            audit_images,
            str(folder),
            READING_S,
            bounds=_BOUNDS,
            code="bundle-unreadable",
            name="The data",
            folder=folder,
        )
    except PalioError as error:
        return Audited(
            warnings=(f"The data was not audited: {error.failure.message} Run `palio data audit` yourself.",)
        )
    return Audited(tuple(serious), tuple(warnings))


def accept(audited: Audited, reason: str) -> str:
    """The reason why the serious findings are accepted, or nothing if there are none. Raises "data-findings"."""
    reason = " ".join(reason.replace("\0", "").split())[:MOST_REASON]
    if audited.serious and not reason:
        more = len(audited.serious) - _SHOWN
        evidence = [*audited.serious[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        raise PalioError("data-findings", count=counted(len(audited.serious), "serious finding"), evidence=evidence)
    return reason if audited.serious else ""
