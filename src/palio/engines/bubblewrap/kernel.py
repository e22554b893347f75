"""Kernel calls that Python lacks: namespaces, mounts, and ending a process with its parent."""

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

NEW_MOUNTS, NEW_USER, NEW_PIDS = 0x20000, 0x10000000, 0x20000000
READ_ONLY, NO_SETUID, NO_DEVICES = 0x1, 0x2, 0x4
_BIND, _RECURSIVE, _FOLLOW_HOST = 0x1000, 0x4000, 0x80000  # MS_BIND, MS_REC, MS_SLAVE
_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Makes the kernel kill this process when its parent dies, or immediately if the parent is already dead.

    `parent` is the read end of a pipe that only the parent can write to. A change of user undoes this.
    """
    if _libc().prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise _error("binding a process to its parent")
    if has_ended(parent):
        os._exit(1)


def has_ended(process: int) -> bool:
    """Whether the holder of this pipe's write end is gone. Discards what was written."""
    os.set_blocking(process, False)
    with suppress(BlockingIOError):
        while os.read(process, 512):
            pass
        return True
    return False


def enter_namespaces() -> None:
    """Enters new mount and PID namespaces, the latter from the next child on. An ordinary user needs a user namespace
    too.

    What the host unmounts is unmounted here too, so that nothing stays busy; mounts made here are not visible outside.
    """
    if os.geteuid() == 0:
        unshare(NEW_MOUNTS | NEW_PIDS)
    else:
        uid, gid = os.getuid(), os.getgid()
        unshare(NEW_USER | NEW_MOUNTS | NEW_PIDS)
        for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", name).write_text(content)
    follow_host()


def unshare(flags: int) -> None:
    """Creates namespaces for this process, or for its children in the case of PIDs."""
    if _libc().unshare(flags):
        raise _error("creating a namespace")


def follow_host() -> None:
    """In a new mount namespace: keeps mounts made here invisible outside."""
    _mount("none", "/", _RECURSIVE | _FOLLOW_HOST)


def mount(source: str, target: str, flags: int, *, kind: str, options: str) -> None:
    _mount(source, target, flags, kind, options)


def bind(source: str, target: str) -> None:
    _mount(source, target, _BIND | _RECURSIVE)


def _mount(source: str, target: str, flags: int, kind: str = "none", options: str = "") -> None:
    words = [os.fsencode(word) for word in (source, target, kind)]
    if _libc().mount(*words, flags, options.encode()):
        raise _error(f"mounting {target}")


def _error(action: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{action}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
