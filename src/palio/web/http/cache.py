"""A cache of this process for results that are slow to compute and often needed.

While one thread recomputes a result, the others get the old one. All get the same object, which nobody may change.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

SECONDS = 60  # after which it is recomputed in any case, in case a change was not signalled
OLDEST_S = 2 * SECONDS  # how old a result may be while another thread recomputes it
_REMOVED_AT_ONCE = 8
MOST = 5_000  # entries, the most recent ones

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


# No lock here, because many threads would wait whenever its holder is preempted: each line is one step for the
# interpreter.
_all: dict[str, _Kept] = {}  # in the order of creation
_making: dict[str, Lock] = {}
_removing = Lock()


def kept(key: str, stamp: Any, make: Callable[[], _Made]) -> _Made:
    """The result of `make`, computed once for this key and stamp.

    A stamp says which state a result belongs to, and grows. A request that started before a change asks with an older
    stamp; a newer result is right for it as well.
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
    """Clear the cache, for example when another database is used."""
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
        _making.clear()  # at worst, something is computed twice
    return _making.setdefault(key, Lock())
