"""Whose turn a failure is, and what the table says of each kind of them."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Whose turn it is."""

    USAGE = "usage"  # the command line was not understood or cannot be obeyed
    PARTICIPANT = "participant"
    ORGANIZER = "organizer"
    PLATFORM = "platform"  # the operator of this machine


EXIT_CODES = {Cause.USAGE: 2, Cause.PARTICIPANT: 10, Cause.ORGANIZER: 11, Cause.PLATFORM: 12}
TURNS = {
    Cause.USAGE: "the command line",
    Cause.PARTICIPANT: "the participant's turn",
    Cause.ORGANIZER: "the organizer's turn",
    Cause.PLATFORM: "this machine's operator's turn",
}
EXIT_CANCELLED = 130  # what shells expect of a command ended by Ctrl-C


@dataclass(frozen=True)
class FailureKind:
    """One row of the table. `message` and `next_step` are format strings over the facts given when it is raised.

    `charged`: it counts against a participant's number of tries, as hidden data was touched and the fault is theirs.
    `retried`: it may go away by itself, so the platform tries again.
    `participant`, `participant_next`: what a participant reads in place of the two sentences; without facts, which may
    be hidden names or paths of the machine. Where they are empty, see core/redaction/failure.
    `engines_words`: its evidence is what the engine said, which may name what is around this machine: registries,
    resolvers. No participant reads it.
    """

    cause: Cause
    message: str
    next_step: str
    charged: bool = False
    retried: bool = False
    participant: str = ""
    participant_next: str = ""
    engines_words: bool = False
