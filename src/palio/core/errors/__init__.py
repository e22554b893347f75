"""Every error that Palio reports, on the command line and on a platform: one table, whose parts are in errors/table.

A row has the code, the responsible party, the message, the next step, the exit code and the HTTP status. Raise
`PalioError("code", fact=..., evidence=[...])`; everything else comes from the table. An exception that is not in the
table and reaches the user is a bug in Palio (exit code 1, HTTP status 500).
"""

from palio.core.errors.counting import counted
from palio.core.errors.failure import Failure, PalioError
from palio.core.errors.kinds import EXIT_CANCELLED, EXIT_CODES, Cause, FailureKind, party
from palio.core.errors.table import FAILURES

__all__ = [
    "EXIT_CANCELLED",
    "EXIT_CODES",
    "FAILURES",
    "Cause",
    "Failure",
    "FailureKind",
    "PalioError",
    "counted",
    "party",
]
