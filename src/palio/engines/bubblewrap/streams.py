"""Reads what comes out of a sandbox: the job's output, and bubblewrap's reports.

The job can write to the first but never to the second, which bubblewrap closes before the job's program runs.
"""

import json
import os
from collections import deque
from contextlib import suppress

from palio.core.engine import LOG_HEAD_BYTES, LOG_TAIL_BYTES
from palio.core.files.log import LogWriter

_BLOCK = 1 << 16
_LINE = 1000


class Printed:
    """Copies the job's output to its log: the beginning as it arrives, the end at the end."""

    def __init__(self, descriptor: int, log: LogWriter) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._log = log
        self._tail: deque[bytes] = deque(maxlen=1 + LOG_TAIL_BYTES // _BLOCK)
        self._count = 0
        self._recent = b""

    def read(self) -> bool:
        """Reads at most one available block. Returns False at the end."""
        try:
            block = os.read(self.descriptor, _BLOCK)
        except BlockingIOError:
            return True
        head = block[: max(0, LOG_HEAD_BYTES - self._count)]
        self._count += len(block)
        if head:
            self._log.write(head)
        if rest := block[len(head) :]:
            self._keep(rest)
        self._recent = (self._recent + block)[-_LINE:]
        return bool(block)

    @property
    def last_line(self) -> str:
        return self._recent.strip().rsplit(b"\n", 1)[-1].decode(errors="replace")

    def read_to_end(self) -> None:
        """Called when no process is left that could print."""
        with suppress(OSError):
            os.set_blocking(self.descriptor, True)
            while self.read():
                pass
        os.close(self.descriptor)
        if self._tail:
            self._log.write_end(b"".join(self._tail))

    def _keep(self, block: bytes) -> None:
        # Small blocks are joined, so that a full deque holds the whole tail, however small the writes are.
        if self._tail and len(self._tail[-1]) + len(block) <= _BLOCK:
            self._tail[-1] += block
        else:
            self._tail.append(block)


class Reports:
    """bubblewrap's own reports: one JSON object per line."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb")

    def exit_code(self) -> int | None:
        """The program's exit code, 128 + N for signal N; None if it was never started. Called at the end."""
        return self._field("exit-code")

    def _field(self, name: str) -> int | None:
        for line in self._file:
            with suppress(ValueError):
                found = json.loads(line)
                if name in found:
                    return int(found[name])
        return None
