"""Terminal output of the commands that start the platform."""

import io
import logging
import sys

from palio.core.errors import Cause, Failure, party

log = logging.getLogger("palio.serving")


def say(text: str = "") -> None:
    print(text, flush=True)  # shown at once, also in a journal


class LoggedOutput(io.TextIOBase):
    """In place of standard output: logs each line that is printed, so that a log collector gets only log lines."""

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                log.info(line.strip())
        return len(text)


def show_failure(failure: Failure) -> None:
    """Print a failure as the CLI does."""
    lines = [f"Failed. Action needed: {party(failure.cause, Cause.PLATFORM)}.", failure.message]
    lines += [f"  | {line}" for line in (*failure.evidence, *failure.log)]
    lines += [f"Next: {failure.next_step}", f"({failure.code})"]
    print("\n".join(lines), file=sys.stderr, flush=True)
