"""The table of failures: one module for each party that can mend them, or thing that they are about."""

from palio.core.errors.kinds import FailureKind
from palio.core.errors.table import handed_in, operators, organizers, platforms, receipts, usage

PARTS = (usage, handed_in, organizers, receipts, operators, platforms)  # in the order of docs/failures.md
FAILURES: dict[str, FailureKind] = {code: kind for part in PARTS for code, kind in part.KINDS.items()}
