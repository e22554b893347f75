"""The controller as a process: it runs until it is told to stop. With SQLite, only one does."""

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
from palio.web.controller.lease import end_stalled_transactions, is_exclusive
from palio.web.controller.loop import Controller
from palio.web.controller.traces import open_traces
from palio.web.storage.process_lock import lock_only_controller

log = logging.getLogger("palio.controller")


def run(controller: type[Controller] = Controller, heartbeat: Heartbeat | None = None) -> None:
    """Run the controller. Raises PalioError "controllers-need-postgresql" for a second one with SQLite,
    "data-not-shared" for a data folder that others do not use, or what an invalid signing key raises.
    """
    folders = settings.FOLDERS
    folders.make()
    os.environ.setdefault("PALIO_HOME", str(folders.keys))
    stop, heartbeat = threading.Event(), heartbeat or Heartbeat()
    watch_database(connection, heartbeat)
    end_stalled_transactions()
    with ExitStack() as held:
        if is_exclusive():
            # Not the file that `palio serve` locks: all its processes share that lock, and this one is for one process.
            held.enter_context(lock_only_controller(folders.root / "evaluating.lock"))
        key, traces = machine_key(), open_traces()
        made = controller(settings.CONFIGURATION, folders, key=key, heartbeat=heartbeat, traces=traces)

        def end(_number: int, _frame: FrameType | None) -> None:
            stop.set()
            made.changed.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        log.info("Controller running as process %d", os.getpid())
        made.run(stop)
    log.info("Controller stopped")
