"""Processes a few requests at a time, while the others wait without using CPU time.

Only one thread at a time can run Python, and each waiting thread keeps asking for the interpreter lock; with dozens of
them, that takes most of the CPU. Here they wait in a queue instead. Uploads and other requests with a body do not wait:
they depend on their senders, the network and the disk. Nor does a page that is generated while it is sent.

Nobody waits for longer than PATIENCE_S: after that, a slow request runs beside the others, not before them.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.http import HttpRequest, HttpResponse

AT_ONCE = 2
PATIENCE_S = 0.5

_slots: SimpleQueue[None] = SimpleQueue()  # its lock is never held by a preempted thread
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
