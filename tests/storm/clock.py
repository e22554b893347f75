"""A wall clock of the platform's own, which a storm turns while the platform runs.

The machine's clock belongs to everybody. So a small library (clock.c), loaded before the C library, answers when the
platform's processes ask for the time of day. Its monotonic clocks, jobs, engines and databases keep the machine's time,
and so do files: as they do on a file server whose clock differs. libfaketime does the same for other programs; its
0.9.10 breaks `time.sleep` of Python 3.11 when monotonic clocks are to be left alone.
"""

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")
_MORE_S = struct.Struct("q")


def clock_fault() -> str | None:
    """What it lacks here to turn a clock."""
    return None if shutil.which("cc") else "the clock is not turned, which needs a C compiler (cc)"


class Clock:
    """Of the processes that have `environment`; those that they start for jobs do not."""

    def __init__(self, folder: Path, name: str) -> None:
        library, self._file = folder / "clock.so", folder / f"clock-{name}"
        if not library.exists():
            subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"], check=True)
        self.turn(0)
        self.environment = {"LD_PRELOAD": str(library), "PALIO_STORM_CLOCK": str(self._file)}

    def turn(self, more_s: int) -> None:
        """To so many seconds more than the machine's, at once and for all processes."""
        with self._file.open("r+b" if self._file.exists() else "w+b", buffering=0) as file:
            file.write(_MORE_S.pack(more_s))
