"""Who is responsible for an error, and what the table says about each kind of error."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """The responsible party: who has to act."""

    USAGE = "usage"  # the sender of a command or a request that cannot be carried out as it is
    PARTICIPANT = "participant"
    ORGANIZER = "organizer"
    PLATFORM = "platform"  # the operator of this machine


EXIT_CODES = {Cause.USAGE: 2, Cause.PARTICIPANT: 10, Cause.ORGANIZER: 11, Cause.PLATFORM: 12}
EXIT_CANCELLED = 130  # what shells expect of a command ended by Ctrl-C
_STATUSES = {Cause.USAGE: 400, Cause.PARTICIPANT: 422, Cause.ORGANIZER: 422, Cause.PLATFORM: 503}
_PARTIES = {
    Cause.USAGE: "you",
    Cause.PARTICIPANT: "the participant",
    Cause.ORGANIZER: "the organizer",
    Cause.PLATFORM: "the operator",
}


def party(cause: Cause, reader: Cause | None = None) -> str:
    """The responsible party in words, for a reader who may be that party: `Action needed: you`."""
    return "you" if cause is reader else _PARTIES[cause]


@dataclass(frozen=True)
class FailureKind:
    """One row of the table. `message` and `next_step` are format strings over the facts given when it is raised.

    `status`: HTTP's, where a platform answers a request with this error; by default that of its cause. How an attempt
    failed is part of the submission, which is answered with 200.
    `charged`: it counts toward a participant's limit, because hidden data was touched and the fault is theirs.
    `retried`: it may go away without anybody's help, so the platform retries the attempt.
    `retried_once`: it is retried, but a second time in a row needs the operator, as the submission may be its cause.
    `participant`, `participant_next`: what a participant reads instead of the two sentences; without facts, which may
    be hidden names or paths of the machine. Where they are empty, see core/redaction/failure.
    `engines_words`: its evidence is the engine's output, which may name hosts around this machine: registries,
    resolvers. No participant reads it.
    """

    cause: Cause
    message: str
    next_step: str
    charged: bool = False
    retried: bool = False
    retried_once: bool = False
    participant: str = ""
    participant_next: str = ""
    engines_words: bool = False
    status: int = 0

    def __post_init__(self) -> None:
        if not self.status:
            object.__setattr__(self, "status", _STATUSES[self.cause])
