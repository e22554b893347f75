"""What takes long to make and is asked for often, kept in this process for as long as it is right.

While something is made anew, one thread makes it and the others get what was there before.
"""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from django.core.cache import caches

SECONDS = 60  # after which it is made anew in any case: whoever changes what is shown may have forgotten to say so

_Made = TypeVar("_Made")
_making: dict[str, Lock] = {}
_guard = Lock()


def kept(key: str, stamp: object, make: Callable[[], _Made]) -> _Made:
    """What `make` gives, made once for this key and stamp; the stamp says whether what is kept is still right."""
    cache = caches["here"]
    found = cache.get(key)
    if found is not None and found[0] == stamp:
        return found[1]  # type: ignore[no-any-return]
    lock = _lock(key)
    if not lock.acquire(blocking=found is None):
        return found[1]  # type: ignore[no-any-return]
    try:
        found = cache.get(key)
        if found is not None and found[0] == stamp:
            return found[1]  # type: ignore[no-any-return]
        made = make()
        cache.set(key, (stamp, made), SECONDS)
        return made
    finally:
        lock.release()


def _lock(key: str) -> Lock:
    with _guard:
        if len(_making) > 1_000:
            _making.clear()  # at worst something is made twice
        return _making.setdefault(key, Lock())
