"""/metrics, for Prometheus.

It is answered before all other middleware: Prometheus addresses the server as it scrapes it, not by the host name that
pages are served under, and plainly, not over TLS. It needs no session, and `access.metrics` decides who may read it.
"""

from collections.abc import Callable

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from palio.core.errors import PalioError
from palio.web.access.metrics import refuse_strangers
from palio.web.http.database_errors import error_for
from palio.web.http.errors import error_json
from palio.web.queries.metrics import PlatformCollector

PATH = "/metrics"

_registry = CollectorRegistry(auto_describe=False)  # without the process's own metrics, which differ between processes
_registry.register(PlatformCollector())


class MetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info != PATH:
            return self._get_response(request)
        try:
            return _metrics(request)
        except PalioError as error:
            return error_json(error)


def _metrics(request: HttpRequest) -> HttpResponse:
    refuse_strangers(request)
    if request.method not in {"GET", "HEAD"}:
        raise PalioError("method-not-allowed", method=request.method, allowed="GET")
    try:
        content = generate_latest(_registry)
    except DatabaseError as error:
        raise error_for(error) or error from error
    return HttpResponse(content, content_type=CONTENT_TYPE_PLAIN_0_0_4)
