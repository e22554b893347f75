"""Every failure Palio can report: its code, whose turn it is, what it says and what to do next. One table,
whose parts are in errors/table.

Raise `PalioError("code", fact=..., evidence=[...])`; the sentence, the next step and the exit code come from the
table. What is not in the table and reaches the user is a bug in Palio (exit code 1).
"""

from palio.core.errors.counting import counted
from palio.core.errors.failure import Failure, PalioError
from palio.core.errors.kinds import EXIT_CANCELLED, EXIT_CODES, TURNS, Cause, FailureKind
from palio.core.errors.table import FAILURES

__all__ = [
    "EXIT_CANCELLED",
    "EXIT_CODES",
    "FAILURES",
    "TURNS",
    "Cause",
    "Failure",
    "FailureKind",
    "PalioError",
    "counted",
]
