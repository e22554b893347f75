"""Keeps the platform's processes running: restarts those that end, and stops all when told to.

Covered: a process that crashes or is killed is restarted, at once the first time and more slowly after that; so is one
whose heartbeat stops (see `controller.heartbeat`); SIGTERM, SIGINT and SIGHUP stop everything in order, within STOP_S;
a supervisor that is killed takes its children with it (see `child_process`).
Not covered: jobs on an engine, which keep running; the next controller finds them.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from palio.core.files.staging import why
from palio.web.controller.heartbeat import Heartbeat
from palio.web.serving.child_process import fork, how_it_ended

STOP_S = 8.0  # before processes that are still running are killed
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 30.0
LOOK_S = 2.0  # between checks of heartbeats
STEADY_S = 60.0  # a process that ran for this long is restarted at once
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger("palio.serving")


@dataclass
class Charge:
    """A process to keep running. `when_orphaned`: the signal it gets if the supervisor is killed.

    `heartbeat`, if given, must show a heartbeat.
    """

    name: str
    run: Callable[[], None]
    when_orphaned: signal.Signals
    heartbeat: Heartbeat | None = None
    process: int | None = None
    started: float = 0.0
    wait_s: float = FIRST_WAIT_S
    start_at: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        if self.heartbeat is not None:
            self.heartbeat.restart()
        try:
            self.process = fork(self.run, when_orphaned=self.when_orphaned)
        except OSError as error:  # out of memory, or too many processes
            self.has_ended(f"could not be started: {why(error)}")

    def has_ended(self, how: str) -> None:
        """Record that it ended, and when to restart it."""
        self.process = None
        if time.monotonic() - self.started > STEADY_S:
            self.wait_s = FIRST_WAIT_S
        self.start_at = time.monotonic() + self.wait_s
        log.error("%s %s; restarting it in %g s", self.name, how, self.wait_s)
        self.wait_s = min(self.wait_s * 2, LONGEST_WAIT_S)

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process, number)

    def kill(self) -> None:
        """Kill it and everything it has started that is still in its process group."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process, signal.SIGKILL)


class Supervisor:
    def __init__(self, charges: Sequence[Charge]) -> None:
        self._charges = charges
        self._told_to_end = 0
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)

    def run(self, once_started: Callable[[], None]) -> None:
        """Return when told to stop and all processes are gone."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in _ENDING:
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for charge in self._charges:
            charge.start()
        once_started()
        while not self._told_to_end:
            self._start_due()
            self._sleep(self._until_due())
            self._reap()
            self._kill_hanging()
        self._stop()

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._told_to_end += 1

    def _start_due(self) -> None:
        for charge in self._charges:
            if charge.process is None and time.monotonic() >= charge.start_at:
                charge.start()

    def _until_due(self) -> float | None:
        due = [charge.start_at - time.monotonic() for charge in self._charges if charge.process is None]
        due += [LOOK_S for charge in self._charges if charge.process is not None and charge.heartbeat is not None]
        return max(0.0, min(due)) if due else None

    def _kill_hanging(self) -> None:
        for charge in self._charges:
            if charge.process is not None and charge.heartbeat is not None and charge.heartbeat.is_missing():
                log.error("%s has no heartbeat; killing it", charge.name)
                charge.kill()

    def _sleep(self, timeout_s: float | None) -> None:
        """Sleep until a signal arrives or the time is over."""
        select.select([self._wake_read], [], [], timeout_s)
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 512):
                pass

    def _reap(self) -> None:
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            for charge in self._charges:
                if charge.process == process:
                    if self._told_to_end:
                        charge.process = None
                    else:
                        charge.has_ended(how_it_ended(status))

    def _stop(self) -> None:
        """Stop in order; a second signal does not wait."""
        for charge in self._charges:
            charge.send(signal.SIGTERM)
        until, told = time.monotonic() + STOP_S, self._told_to_end
        while any(charge.process for charge in self._charges):
            self._sleep(0.1)
            self._reap()
            if time.monotonic() > until or self._told_to_end > told:
                for charge in self._charges:
                    if charge.process:
                        log.error("%s did not stop in time; killing it", charge.name)
                    charge.kill()
                until = time.monotonic() + STOP_S
                told = self._told_to_end
