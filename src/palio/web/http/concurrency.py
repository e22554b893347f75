"""A few requests are worked on at a time, and the others wait for their turn without being in the way.

Pages are made by one thread at a time, whatever their number, as Python has one lock for all; each thread that waits
for it asks for it again and again, which with dozens of them takes most of the time that there is. Those wait here
instead, where waiting costs nothing. Uploads and whatever else is sent do not wait: they are slow by their senders, and
mostly wait for disk and network, as does a page that is sent while it is made, which waits until that begins.

Nobody waits for longer than PATIENCE_S: a request that takes its time is beside the others then, not before them.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.http import HttpRequest, HttpResponse

AT_ONCE = 3
PATIENCE_S = 0.5

_slots: SimpleQueue[None] = SimpleQueue()  # whose lock is never held while its holder is switched off
for _ in range(AT_ONCE):
    _slots.put(None)


class ConcurrencyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "HEAD"} or not _takes_slot():
            return self._get_response(request)
        try:
            return self._get_response(request)
        finally:
            _slots.put(None)


def _takes_slot() -> bool:
    try:
        _slots.get(timeout=PATIENCE_S)
    except Empty:
        return False
    return True
