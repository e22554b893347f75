"""Why an engine is unavailable, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unavailable:
    reason: str  # a sentence with the command to run
    next_step: str  # a sentence with the command to run
