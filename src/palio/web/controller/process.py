"""The controller as a process: only one runs, until it is told to stop."""

import logging
import os
import signal
import threading
from contextlib import ExitStack
from types import FrameType

from django.conf import settings
from django.db import connection

from palio.core.receipt.key import machine_key
from palio.web.controller.heartbeat import Heartbeat, watch_database
from palio.web.controller.loop import Controller
from palio.web.controller.process_lock import alone

log = logging.getLogger("palio.controller")


def run(controller: type[Controller] = Controller, heartbeat: Heartbeat | None = None) -> None:
    """Run the controller. Raises PalioError "data-in-use" for a second one, or for an invalid signing key."""
    folders = settings.FOLDERS
    folders.make()
    os.environ.setdefault("PALIO_HOME", str(folders.keys))
    stop, heartbeat = threading.Event(), heartbeat or Heartbeat()
    watch_database(connection, heartbeat)
    with ExitStack() as held:
        still_alone = held.enter_context(alone(folders))
        made = controller(
            settings.CONFIGURATION, folders, key=machine_key(), heartbeat=heartbeat, still_alone=still_alone
        )

        def end(_number: int, _frame: FrameType | None) -> None:
            stop.set()
            made.changed.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        log.info("Controller running as process %d", os.getpid())
        made.run(stop)
    log.info("Controller stopped")
