"""What takes long to make and is asked for often, kept in this process for as long as it is right.

While something is made anew, one thread makes it and the others get what was there before. All get the same object,
which nobody may change.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

SECONDS = 60  # after which it is made anew in any case: whoever changes what is shown may have forgotten to say so
OLDEST_S = 2 * SECONDS  # that is given while another thread makes it anew
_REMOVED_AT_ONCE = 8
MOST = 5_000  # of those, the ones last made

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class _Kept:
    stamp: Any
    made: Any
    time: float

    def is_old(self) -> bool:
        return time.monotonic() > self.time + OLDEST_S

    def is_right(self, stamp: Any) -> bool:
        return self.stamp >= stamp and time.monotonic() < self.time + SECONDS


# What follows is done without a lock, which many threads would wait for whenever its holder is switched off: each line
# of it is one step for the interpreter.
_all: dict[str, _Kept] = {}  # in the order in which they were made
_making: dict[str, Lock] = {}
_removing = Lock()


def kept(key: str, stamp: Any, make: Callable[[], _Made]) -> _Made:
    """What `make` gives, made once for this key and stamp.

    Stamps say whether what is kept is still right, and grow: to a request that began before a change, and so asks by
    an older stamp, what was made after it is right too.
    """
    found = _find(key)
    if found is not None and found.is_right(stamp):
        return found.made  # type: ignore[no-any-return]
    lock = _lock(key)
    if not lock.acquire(blocking=found is None):
        return found.made  # type: ignore[no-any-return, union-attr]
    try:
        found = _find(key)
        if found is not None and found.is_right(stamp):
            return found.made  # type: ignore[no-any-return]
        made = make()
        _keep(key, _Kept(stamp, made, time.monotonic()))
        return made
    finally:
        lock.release()


def last_kept(key: str) -> Any:
    """The result for this key, however old it is; None if there is none."""
    found = _all.get(key)
    return None if found is None else found.made


def forget() -> None:
    """Everything, as where another database is used."""
    _all.clear()


def _find(key: str) -> _Kept | None:
    found = _all.get(key)
    return None if found is None or found.is_old() else found


def _keep(key: str, kept: _Kept) -> None:
    _all.pop(key, None)
    _all[key] = kept
    if _removing.acquire(blocking=False):
        try:
            for first in [*_all][:_REMOVED_AT_ONCE]:
                found = _all.get(first)
                if found is not None and (len(_all) > MOST or found.is_old()):
                    _all.pop(first, None)
        finally:
            _removing.release()


def _lock(key: str) -> Lock:
    if len(_making) > 2 * MOST:
        _making.clear()  # at worst something is made twice
    return _making.setdefault(key, Lock())
