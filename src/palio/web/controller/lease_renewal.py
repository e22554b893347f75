"""Renews the lease in time, with what pages show of the controller: its engine, slots and why nothing can start."""

import os
import shutil
import socket
import time
from pathlib import Path

from palio.core.quantities import MIB, size_text
from palio.web.controller.lease import Lease
from palio.web.controller.pools import Pools

RENEWAL_S = 5.0  # between renewals without news
LEAST_FREE_BYTES = 256 * MIB  # with less, nothing starts


class LeaseRenewal:
    """`runs` is the folder of run folders, whose disk needs room."""

    def __init__(self, lease: Lease, pools: Pools, runs: Path) -> None:
        self._lease, self._pools, self._runs = lease, pools, runs
        self._shown: dict[str, object] = {}
        self.renewed = 0.0  # by the monotonic clock

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self.renewed > RENEWAL_S

    def look(self) -> None:
        """Renew the lease if that is due or there is news. Raises LeaseLostError and PalioError, see `Lease.renew`."""
        watch = self._pools.default.watch
        shown: dict[str, object] = {
            "engine": watch.found.description[:200],
            "trouble": watch.found.trouble or self.lack_of_room(),
            "named_trouble": self._pools.named_trouble,
            "unenforced": list(watch.found.unenforced),
        }
        if shown != self._shown or self.is_due:
            self._lease.renew(
                process=f"{socket.gethostname()[:60]}:{os.getpid()}",
                slots=self._pools.slots,
                engine_check_s=watch.check_s,
                **shown,
            )
            self._shown, self.renewed = shown, time.monotonic()

    def lack_of_room(self) -> str:
        """Why nothing starts on this disk, or empty."""
        free = shutil.disk_usage(self._runs).free
        if free >= LEAST_FREE_BYTES:
            return ""
        return (
            f"Only {size_text(free)} are free on the disk of {self._runs}. Palio starts nothing with less than "
            f"{size_text(LEAST_FREE_BYTES)}. Free some space there."
        )
