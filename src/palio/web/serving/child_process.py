"""A process forked by the supervisor: it ends when the supervisor does, however that ended."""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1

log = logging.getLogger("palio.serving")


def fork(run: Callable[[], None], *, when_orphaned: signal.Signals) -> int:
    """Run `run` in a child, which gets the signal `when_orphaned` if its parent is gone; return its ID.

    The child has its own process group: Ctrl-C in the terminal reaches only the supervisor, which stops its children
    in order. Memory stays shared with the parent, as nothing is imported again.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for caught in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(caught, signal.SIG_DFL)
        os.setpgid(0, 0)
        _end_with(parent, when_orphaned)
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:
        log.exception("This process broke")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def how_it_ended(status: int) -> str:
    """The status from waitpid, as part of a sentence."""
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with exit code {os.waitstatus_to_exitcode(status)}"


def _end_with(parent: int, sent: signal.Signals) -> None:
    """By the kernel where it can (Linux), otherwise by polling every second."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent, sent), daemon=True).start()
    if os.getppid() != parent:  # it was gone before this was set up
        os.kill(os.getpid(), sent)


def _watch(parent: int, sent: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), sent)
