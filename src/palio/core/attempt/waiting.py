"""`.work/waiting.json`: that a job of the attempt waits for resources, as its engine says, for pages and controllers.

Its worker writes it while it waits. What is older than FRESH_S is from a worker that is gone, and counts as nothing.
"""

import json
import time
from contextlib import suppress
from pathlib import Path

from palio.core.engine import Waiting

FRESH_S = 120.0
_AGAIN_S = 20.0
_FILE = ".work/waiting.json"


class WaitingNote:
    """Of one attempt in this run folder."""

    def __init__(self, root: Path) -> None:
        self._file = root / _FILE
        self._written: Waiting | None = None
        self._when = 0.0

    def write(self, waiting: Waiting | None) -> None:
        """Ignores errors: nothing but what people read depends on it."""
        if waiting == self._written and (waiting is None or time.monotonic() - self._when < _AGAIN_S):
            return
        self._written, self._when = waiting, time.monotonic()
        with suppress(OSError):
            if waiting is None:
                self._file.unlink(missing_ok=True)
            else:
                half = self._file.with_suffix(".half")
                half.write_text(json.dumps({"position": waiting.position}))
                half.rename(self._file)


def read_waiting(root: Path) -> Waiting | None:
    """What an attempt with this run folder waits for; None if it does not, as far as anybody knows."""
    file = root / _FILE
    try:
        if time.time() - file.stat().st_mtime > FRESH_S:
            return None
        position = json.loads(file.read_text())["position"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Waiting(position if isinstance(position, int) else None)
