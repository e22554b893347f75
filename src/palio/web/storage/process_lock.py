"""Locks for one platform per data folder, and one controller with SQLite; the second is told who holds the lock.

The kernel holds a lock on an open file for as long as any process that has it open lives: children that outlive a
killed parent keep it, and a process that is gone does not. Not covered: a data folder on a network file system without
locks. Several controllers have leases in the database instead.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from palio.core.errors import PalioError
from palio.core.files.staging import writing

WAIT_S = 8.0  # for the processes of an earlier one to exit


def lock_only_controller(path: Path) -> IO[str]:
    """Raises PalioError "controllers-need-postgresql"; see `lock`."""
    return lock(path, "another controller", code="controllers-need-postgresql")


def lock(
    path: Path, what: str, wait_s: float = WAIT_S, *, for_living: bool = False, code: str = "data-in-use"
) -> IO[str]:
    """The open file; the lock ends when it is closed here and in all children. Raises PalioError `code`.

    Waits for a holder that was killed, and with `for_living` also briefly for one that is running.
    """
    with writing(path):
        file = path.open("a+")
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip() or "?"
            if (not for_living and _is_alive(process)) or time.monotonic() > until:
                file.close()
                raise PalioError(code, path=path.parent, what=what, process=process) from None
            time.sleep(0.1)
            continue
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file


def _is_alive(process: str) -> bool:
    """Whether the process that wrote its ID is running. Cannot tell across containers."""
    try:
        if int(process) == os.getpid():  # in another container
            return False
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
