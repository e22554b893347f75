"""Runs what would keep the loop waiting in a thread with database connections of its own."""

import threading
from collections.abc import Callable

from django.db import connections


def in_thread(job: Callable[[], None]) -> None:
    def run() -> None:
        try:
            job()
        finally:
            connections.close_all()  # this thread's

    threading.Thread(target=run, name="palio-background", daemon=True).start()
