"""Terminal output of the commands that start the platform."""

import sys

from palio.core.errors import Cause, Failure, party


def say(text: str = "") -> None:
    print(text, flush=True)  # shown at once, also in a journal


def show_failure(failure: Failure) -> None:
    """Print a failure as the CLI does."""
    lines = [f"Failed. Action needed: {party(failure.cause, Cause.PLATFORM)}.", failure.message]
    lines += [f"  | {line}" for line in (*failure.evidence, *failure.log)]
    lines += [f"Next: {failure.next_step}", f"({failure.code})"]
    print("\n".join(lines), file=sys.stderr, flush=True)
