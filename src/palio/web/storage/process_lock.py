"""One platform on a data folder, and one controller: whoever comes second is told who was first.

A lock is the kernel's, on an open file, and is held as long as any process that has it open lives: children that are
still ending after their parent was killed keep it, and no process that is gone does. Not covered: a data folder on a
network file system that has no locks, and controllers on several machines (they take the database's lock).
"""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from palio.core.errors import PalioError
from palio.core.files.staging import writing

WAIT_S = 8.0  # for processes of an earlier one that are ending


def lock(path: Path, what: str, wait_s: float = WAIT_S, *, for_living: bool = False) -> IO[str]:
    """The open file; the lock ends when it is closed here and in all children. Raises PalioError "data-in-use".

    Whoever has it is waited for if it has been killed; with `for_living`, also if it will be done soon.
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
                raise PalioError("data-in-use", path=path.parent, what=what, process=process) from None
            time.sleep(0.1)
            continue
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file


def _is_alive(process: str) -> bool:
    """Whether whoever wrote itself down is running: then there is nothing to wait for. Not told across containers."""
    try:
        if int(process) == os.getpid():  # in another container
            return False
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
