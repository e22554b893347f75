"""A cache of this process for results that are slow to compute and often needed.

While one thread recomputes a result, the others get the old one. A result that takes long is recomputed in the
background if the old one was right a moment ago: then nobody waits, and a change is hidden for a moment at most.
All get the same object, which nobody may change.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar, cast

SECONDS = 60  # after which it is recomputed in any case, in case a change was not signaled
OLDEST_S = 2 * SECONDS  # how old a result may be while another thread recomputes it
SLOW_S = 0.05  # to compute: longer than a reader should wait
MOMENT_S = 0.7  # how long a change may be hidden, beside the time to compute it
_REMOVED_AT_ONCE = 8
MOST = 5_000  # entries, the most recent ones

_Made = TypeVar("_Made")


@dataclass
class _Entry:
    stamp: Any
    made: Any
    seconds: float  # that it took
    made_at: float
    right_at: float  # when it was last known to be right

    def is_old(self) -> bool:
        return time.monotonic() > self.made_at + OLDEST_S

    def is_right(self, stamp: Any) -> bool:
        if self.stamp >= stamp and time.monotonic() < self.made_at + SECONDS:
            self.right_at = time.monotonic()
            return True
        return False

    def may_be_shown(self) -> bool:
        """Although it is no longer right."""
        return self.seconds > SLOW_S and time.monotonic() < self.right_at + MOMENT_S


# No lock here, because many threads would wait whenever its holder is preempted: each line is one step for the
# interpreter.
_all: dict[str, _Entry] = {}  # in the order of creation
_making: dict[str, Lock] = {}
_removing = Lock()

_background: ThreadPoolExecutor | None = None


def cached(key: str, stamp: Any, make: Callable[[], _Made]) -> _Made:
    """The result of `make`, computed once for this key and stamp.

    A stamp says which state a result belongs to, and grows. A request that started before a change asks with an older
    stamp; a newer result is right for it as well.
    """
    entry = _find(key)
    if entry is None or not entry.is_right(stamp):
        entry = _renewed(key, stamp, make, entry)
    return cast(_Made, entry.made)


def last_cached(key: str) -> Any:
    """The result for this key, however old it is; None if there is none."""
    found = _all.get(key)
    return None if found is None else found.made


def clear() -> None:
    """Clear the cache, for example when another database is used."""
    _all.clear()


def recompute_in_background() -> None:
    """Slow results are recomputed in a thread of their own from now on. Call this in a process that serves pages."""
    global _background
    _background = ThreadPoolExecutor(1, "palio-cache")


def _renewed(key: str, stamp: Any, make: Callable[[], Any], old: _Entry | None) -> _Entry:
    lock = _lock(key)
    if old is None:
        lock.acquire()
    elif not lock.acquire(blocking=False):
        return old
    elif _background and old.may_be_shown():
        _background.submit(_made, key, stamp, make, lock)
        return old
    return _made(key, stamp, make, lock)


def _made(key: str, stamp: Any, make: Callable[[], Any], lock: Lock) -> _Entry:
    """Releases the lock. If `make` fails in the background, so it will for the request that then has to wait for it."""
    try:
        entry = _find(key)
        if entry is None or not entry.is_right(stamp):
            begin = time.monotonic()
            made = make()
            end = time.monotonic()
            entry = _Entry(stamp, made, end - begin, end, end)
            _store(key, entry)
        return entry
    finally:
        lock.release()


def _find(key: str) -> _Entry | None:
    found = _all.get(key)
    return None if found is None or found.is_old() else found


def _store(key: str, entry: _Entry) -> None:
    _all.pop(key, None)
    _all[key] = entry
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
