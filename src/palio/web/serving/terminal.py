"""What whoever starts the platform reads on the terminal."""

import sys

from palio.core.errors import Cause, Failure, party


def say(text: str = "") -> None:
    print(text, flush=True)  # seen at once in a journal too


def show_failure(failure: Failure) -> None:
    """The same words as the command line's."""
    lines = [f"Failed. Action needed: {party(failure.cause, Cause.PLATFORM)}.", failure.message]
    lines += [f"  | {line}" for line in (*failure.evidence, *failure.log)]
    lines += [f"Next: {failure.next_step}", f"({failure.code})"]
    print("\n".join(lines), file=sys.stderr, flush=True)
