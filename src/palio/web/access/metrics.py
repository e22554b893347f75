"""Who may read /metrics: programs with the operator's token or, if none is set, programs on this machine.

Covered: a request that a proxy passes on is never taken for one of this machine, although it comes from the proxy's
address, which may be loopback. Not covered: a proxy that adds no header at all to what it passes on.
"""

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from palio.core.errors import PalioError
from palio.web.config.values import is_loopback

_OF_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")


def refuse_strangers(request: HttpRequest) -> None:
    """Raises PalioError "metrics-token-refused" or "metrics-not-local"."""
    if token := settings.CONFIGURATION.metrics_token:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not constant_time_compare(given.strip(), token):
            raise PalioError("metrics-token-refused")
    elif not is_loopback(request.META.get("REMOTE_ADDR", "")) or any(name in request.headers for name in _OF_PROXIES):
        raise PalioError("metrics-not-local")
