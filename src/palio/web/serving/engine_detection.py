"""Which engine the platform will use, found out by a process of its own while everything else starts.

So the supervisor, from which all others are forked, has neither an engine's libraries nor its threads.
"""

import os
from collections.abc import Callable
from contextlib import suppress

from palio.core.errors import PalioError

_MOST_BYTES = 16 * 1024


def find_engine(name: str) -> Callable[[], list[str]]:
    """Begins to look; what comes back gives lines for people, waiting for them if need be."""
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
        with suppress(ChildProcessError):  # whoever asks is another child, or has seen its end
            os.waitpid(child, 0)
        return found.splitlines() or ["cannot be told: looking for it failed; `palio doctor` shows more"]

    return answer


def _lines(name: str) -> list[str]:
    from palio.engines import open_engine

    try:
        engine, why = open_engine(name)
    except PalioError as error:
        nothing_runs = "Until then submissions wait in the queue; everything else works."
        return [f"MISSING: {error.failure.message}", f"Next: {error.failure.next_step}", nothing_runs]
    return [f"{engine.describe()} ({why})"]
