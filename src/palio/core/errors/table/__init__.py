"""The table of errors: one module for each thing that they are about, in the order of docs/failures.md."""

from palio.core.errors.kinds import FailureKind
from palio.core.errors.table import (
    accounts,
    bundles,
    command_line,
    comparing,
    connection,
    evaluation,
    joining,
    machine,
    organizing,
    receipts,
    requests,
    server,
    sources,
    submissions,
    submitting,
    uploads,
)

PARTS = (
    *(command_line, submissions, sources, evaluation, bundles, receipts, machine),
    *(connection, requests, accounts, joining, uploads, submitting, organizing, comparing, server),
)
FAILURES: dict[str, FailureKind] = {code: kind for part in PARTS for code, kind in part.KINDS.items()}
