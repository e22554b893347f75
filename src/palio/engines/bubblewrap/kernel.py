"""The few calls to the kernel that Python has no function for: namespaces, mounts, and what ends with what."""

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
    """This process is killed when its parent dies, and now if it is dead already.

    `parent` is the reading end of a pipe that only the parent can write to. A change of user undoes this.
    """
    if _libc().prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise _error("binding a process to its parent")
    if has_ended(parent):
        os._exit(1)


def has_ended(process: int) -> bool:
    """Whether whoever held the writing end of this pipe is gone; what was written is dropped."""
    os.set_blocking(process, False)
    with suppress(BlockingIOError):
        while os.read(process, 512):
            pass
        return True
    return False


def enter_namespaces() -> None:
    """New mounts, and processes from the next child on; an ordinary user needs a user namespace for both.

    What is unmounted on the host is unmounted here too, so that nothing is kept busy; what is mounted here stays here.
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
    """Makes namespaces for this process, or for its children in the case of PIDs."""
    if _libc().unshare(flags):
        raise _error("making a namespace")


def follow_host() -> None:
    """In a new mount namespace: no mount of this one is seen outside."""
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
