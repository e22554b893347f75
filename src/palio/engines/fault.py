"""Why an engine cannot be used, and what would change that."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unavailable:
    reason: str  # a clause, as in "the Docker daemon does not answer"
    next_step: str  # a sentence with the command to run
