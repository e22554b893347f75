"""Finds the engine that the platform will use, in a separate process while everything else starts.

So the supervisor, which forks all other processes, has neither an engine's libraries nor its threads.
"""

import os
from collections.abc import Callable
from contextlib import suppress

from palio.core.errors import PalioError

_MOST_BYTES = 16 * 1024


def find_engine(name: str) -> Callable[[], list[str]]:
    """Start the search; the returned function gives lines for the terminal, waiting for them if necessary."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            os.write(writing, "\n".join(_lines(name)).encode()[:_MOST_BYTES])
            status = 0
        finally:
            os._exit(status)
    os.close(writing)

    def answer() -> list[str]:
        with os.fdopen(reading, "rb") as file:
            found = file.read().decode(errors="replace")
        with suppress(ChildProcessError):  # called in another child, or its end was already seen
            os.waitpid(child, 0)
        return found.splitlines() or ["unknown: detection failed; run `palio doctor` for details"]

    return answer


def _lines(name: str) -> list[str]:
    from palio.engines import open_engine

    try:
        engine, why = open_engine(name)
    except PalioError as error:
        nothing_runs = "Until then, submissions wait in the queue; everything else works."
        return [f"MISSING: {error.failure.message}", f"Next: {error.failure.next_step}", nothing_runs]
    return [f"{engine.describe()}{why}"]
