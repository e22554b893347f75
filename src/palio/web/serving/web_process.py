"""The processes that answer requests: waitress, configured within the limits of `connections`."""

import logging
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from palio.web.config.configuration import Configuration
from palio.web.http.cache import recompute_in_background
from palio.web.http.request_log import shown_path
from palio.web.pages.file_forms import FORM_BYTES
from palio.web.serving.admission import ASKED
from palio.web.serving.connections import BODY_IN_MEMORY_BYTES, HEADER_BYTES, Server

STOP_S = 5.0  # for running requests when the platform stops
SLOW_S = 5.0
_log = logging.getLogger("palio.requests")


def answer_requests(configuration: Configuration, listening: socket.socket, application: WSGIHandler) -> None:
    """Serve until SIGTERM; runs in a process of its own."""
    tempfile.tempdir = str(settings.FOLDERS.uploads)  # for request bodies, which have no name there
    recompute_in_background()
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(configuration.threads)
    adjustments = Adjustments(
        sockets=[listening],
        ident=None,
        clear_untrusted_proxy_headers=False,  # Django's settings decide whether to trust a proxy
        log_socket_errors=False,
        recv_bytes=128 * 1024,
        inbuf_overflow=BODY_IN_MEMORY_BYTES,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=configuration.max_upload_bytes + FORM_BYTES + 1,
    )
    server = Server(
        _answering(application, configuration),
        {},
        _sock=listening,
        dispatcher=dispatcher,
        adj=adjustments,
        sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        bind_socket=False,
        counts_addresses=not configuration.trust_proxy,
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: server.end())
    server.serve_until_told(STOP_S)


def _answering(application: WSGIHandler, configuration: Configuration) -> Callable[..., Iterable[bytes]]:
    """The application, with no body for HEAD and a log line for each request to be logged."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began, statuses = time.monotonic(), ["500"]

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(status)
            return start_response(status, headers, exc_info)

        content = application(environ, start)
        if ASKED not in environ:
            _note(environ, int(statuses[-1].split()[0]), time.monotonic() - began, configuration)
        if environ["REQUEST_METHOD"] == "HEAD":
            if hasattr(content, "close"):
                content.close()
            return []
        return content

    return answer


def _note(environ: dict[str, Any], status: int, seconds: float, configuration: Configuration) -> None:
    """Log a request: never a query, a key or a body."""
    if configuration.request_log or status >= 500 or seconds > SLOW_S:
        who = environ.get("REMOTE_ADDR") or "-"
        if configuration.trust_proxy:
            who = environ.get("HTTP_X_FORWARDED_FOR", who).split(",")[-1].strip()
        path = shown_path(environ.get("PATH_INFO") or "")
        method, milliseconds = environ.get("REQUEST_METHOD"), round(seconds * 1000)
        fields = {"client": who, "method": method, "path": path, "status": status, "duration_ms": milliseconds}
        _log.info("%s %s %s %s %d ms", *fields.values(), extra={"fields": fields})
