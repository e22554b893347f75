"""The processes that answer requests: gunicorn, set up from the configuration alone."""

import logging
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from palio.web.configuration import Configuration
from palio.web.request_log import shown_path

STOP_S = 5  # for requests that are being answered when the platform is stopped
SLOW_S = 5.0
_log = logging.getLogger("palio.requests")


class RequestLog(Logger):  # type: ignore[misc]
    """One line for each request that is to be logged: never a query, a key or a body."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:  # noqa: ARG002
        configuration: Configuration = settings.CONFIGURATION
        status, seconds = int(str(resp.status).split()[0]), request_time.total_seconds()
        if configuration.request_log or status >= 500 or seconds > SLOW_S:
            who = environ.get("REMOTE_ADDR") or "-"
            if configuration.trust_proxy:
                who = environ.get("HTTP_X_FORWARDED_FOR", who).split(",")[-1].strip()
            path = shown_path(environ.get("PATH_INFO") or "")
            _log.info("%s %s %s %s %.0f ms", who, environ.get("REQUEST_METHOD"), path, status, seconds * 1000)


class Pages(BaseApplication):  # type: ignore[misc]
    def __init__(self, configuration: Configuration, listening: socket.socket, application: WSGIHandler) -> None:
        self._configuration = configuration
        self._listening = listening
        self._application = application
        super().__init__()

    def load_config(self) -> None:
        values = {
            "bind": [f"fd://{self._listening.fileno()}"],
            "worker_class": "gthread",
            "workers": self._configuration.workers,
            "threads": self._configuration.threads,
            "preload_app": True,
            "graceful_timeout": STOP_S,
            "keepalive": 5,
            "proc_name": "palio",
            "loglevel": "warning",
            "accesslog": "-",
            "logger_class": RequestLog,
            # What a proxy says is believed by Django's settings alone, which know whether there is one.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
        }
        if Path("/dev/shm").is_dir():  # noqa: S108 - a heartbeat that waits for no disk
            values["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        if "control_socket_disable" in self.cfg.settings:  # a way in that nobody asked for
            values["control_socket_disable"] = True
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        return self._application
