"""Rate limit: enough for any program that waits between its requests.

Requests are counted per token, else per user, else per address, and in each process separately, so that counting needs
no write. Chunks of uploads are not counted: the network limits them.
"""

import time
from typing import cast

from django.core.cache import caches
from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from palio.core.errors import PalioError
from palio.web.access.operations import operation_name
from palio.web.http.request import Request
from palio.web.models import User

WINDOW_S = 60
READS, CHANGES, ANONYMOUS = 1200, 300, 6000  # per window
_FREE = {"api:append-to-upload"}


class Rate(BaseThrottle):
    """A window of one minute; requests above the limit wait for the next one."""

    def allow_request(self, request: HttpRequest) -> bool:
        if request.resolver_match and operation_name(request.resolver_match.view_name, request.method) in _FREE:
            return True
        who, most = _counted(cast(Request[object], request))
        key = f"rate:{who}:{int(time.time()) // WINDOW_S}"
        cache = caches["here"]
        cache.add(key, 0, WINDOW_S + 1)
        try:
            return cache.incr(key) <= most
        except ValueError:  # the cache was full and dropped the count
            return True

    def wait(self) -> float | None:
        return WINDOW_S - time.time() % WINDOW_S


def _counted(request: Request[object]) -> tuple[str, int]:
    kind, most = ("get", READS) if request.method in ("GET", "HEAD") else ("change", CHANGES)
    if request.token is not None:
        return f"{kind}:token:{request.token.pk}", most
    if isinstance(request.user, User):
        return f"{kind}:user:{request.user.pk}", most
    return f"address:{request.META.get('REMOTE_ADDR', '')}", ANONYMOUS


def too_many(wait_s: float | None) -> PalioError:
    limit = f"{CHANGES:,} changes or {READS:,} reads"
    return PalioError("too-many-requests", limit=limit, wait=f"{max(1, round(wait_s or WINDOW_S))} s")
