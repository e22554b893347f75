"""A worker evaluates one attempt and reports to the controller. `WorkerProcess` runs it in a process of its own.

The controller's process unpacks, parses and matches nothing of participants or organizers: a file that never ends,
exhausts memory or crashes its reader harms only the worker, which belongs to one attempt.

Covered: the worker's CPU time between steps, its address space, what it reports; a worker that is killed, crashes or
reports what it may not; a controller that is killed (the kernel ends its workers, and each holds a lock on its run
folder, for which the next worker waits); a worker that does not obey (`kill`). Only `join` waits for a worker. Not
covered: a worker that is stuck in the kernel; it keeps its attempt until it is gone.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from io import FileIO
from typing import TYPE_CHECKING, Any, Protocol

from palio.core.attempt.run_folder import Stage
from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.errors import Cause, Failure, PalioError
from palio.core.quantities import MIB, size_text
from palio.web.config.configuration import Configuration
from palio.web.config.log_format import LOG_FORMATS, only_about
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.lease_clock import LeaseClock
from palio.web.controller.limits import EXIT_MEMORY, MEMORY_BYTES, STEP_CPU_S
from palio.web.controller.remove_jobs import remove_jobs
from palio.web.controller.stepping import Order

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MESSAGE_BYTES, ALL_BYTES = 4 * MIB, 16 * MIB  # of one line from a worker, and of all lines
_EXIT_S = 5.0  # for a worker that closed its pipe to exit
_REMOVAL = Bounds(time_s=600.0)
PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from palio.web.controller.worker_process import main
main()
"""
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}

log = logging.getLogger("palio.controller")


class WorkerEnd(StrEnum):
    """Why a worker ended without an outcome."""

    LIMIT = "limit"  # exceeded a limit or crashed because of what it read
    KILLED = "killed"  # from outside, for example when the machine ran out of memory
    BROKEN = "broken"  # a bug in Palio
    LEASE = "lease"  # its controller did not renew its lease in time


@dataclass(frozen=True)
class Death:
    """How a worker ended without an outcome. `clause` completes a sentence: "it used more than 3 s of CPU time"."""

    end: WorkerEnd
    clause: str
    stage: Stage | None
    files_of: Cause


@dataclass(frozen=True)
class Reached:
    """A stage that has started: when, by the clock and by `time.monotonic`."""

    stage: Stage
    since: datetime
    monotonic: float


class Worker(Protocol):
    """`reached` lists the stages that have started, in order. Once `is_alive` is false, nothing changes
    any more: there is an outcome, a death, or neither if it was let go.
    """

    reached: list[Reached]
    outcome: Outcome | None
    death: Death | None

    @property
    def is_alive(self) -> bool: ...

    def order(self, order: Order | Failure) -> None:
        """Ask it to end, unless it ended by itself. The first order counts, except LET_GO."""

    def kill(self) -> None:
        """End it wherever it is; what it has written stays."""

    def join(self, timeout_s: float) -> None: ...


class Workers(Protocol):
    """Starts workers."""

    def start(
        self,
        given: Assignment,
        order: Order | Failure | None,
        changed: Callable[[], None],
        unreachable: Callable[[], None],
    ) -> Worker:
        """Start a worker that starts or continues the attempt; with `order`, it only ends it that way.

        `changed` is called when it has reported something, `away` when it finds the engine unreachable.
        """

    def remove(self, engine: str, names: Sequence[str]) -> None:
        """Remove these jobs from the engine and return when that is done. Raises PalioError."""


class WorkerProcesses:
    """Starts workers as processes, which end with the lease of `clock`. `key` signs results; another `program` is for
    tests.
    """

    def __init__(
        self,
        key: "Ed25519PrivateKey | None",
        program: str | None = None,
        log_format: str = LOG_FORMATS[0],
        clock: LeaseClock | None = None,
    ) -> None:
        self._program, self._log_format, self._clock = program or PROGRAM, log_format, clock
        self._key = key.private_bytes_raw().hex() if key is not None else None

    def start(
        self,
        given: Assignment,
        order: Order | Failure | None,
        changed: Callable[[], None],
        unreachable: Callable[[], None],
    ) -> "WorkerProcess":
        request = {
            "assignment": given.as_json(),
            "key": self._key,
            "order": _order_json(order),
            "parent": os.getpid(),
            "log_format": self._log_format,
            "lease": self._clock.descriptor if self._clock is not None else None,
        }
        return WorkerProcess(given, request, changed, unreachable, self._program)

    def remove(self, engine: str, names: Sequence[str]) -> None:
        try:
            call_bounded(remove_jobs, engine, list(names), bounds=_REMOVAL)
        except BoundsError as error:
            raise PalioError(
                "engine-fault", engine=engine, action="removing jobs of finished attempts", reason=error
            ) from error


class WorkerProcess:
    """Started by the thread that lives longest, as the kernel ends it with that thread."""

    def __init__(
        self,
        given: Assignment,
        request: dict[str, Any],
        changed: Callable[[], None],
        unreachable: Callable[[], None],
        program: str,
    ) -> None:
        self.reached: list[Reached] = []
        self.outcome: Outcome | None = None
        self.death: Death | None = None
        self._given, self._changed, self._unreachable = given, changed, unreachable
        self._ordered = request["order"] is not None
        self._let_go = False
        self._stage: Stage | None = None
        self._files_of = Cause.ORGANIZER
        self._process, self._commands = _spawn(program, request)
        self._thread = threading.Thread(target=self._follow, name=f"palio-{given.identity}", daemon=True)
        self._thread.start()

    @property
    def process(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def order(self, order: Order | Failure) -> None:
        if order is Order.LET_GO:
            self._let_go = True
        elif self._ordered:
            return
        self._ordered = True
        # A worker that is gone or no longer reads is detected elsewhere.
        with contextlib.suppress(OSError, ValueError):
            self._commands.write(json.dumps(_order_json(order)).encode() + b"\n")

    def kill(self) -> None:
        self._process.kill()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    # -- in the thread

    def _follow(self) -> None:
        only_about(self._given.identity, self._given.submission_id)
        fault = ""
        try:
            fault = self._listen()
        except Exception:
            log.exception("The worker of %s sent an unreadable report", self._given.identity)
            fault = "it sent an unreadable report"
        if fault:
            self._process.kill()
        status = self._wait()
        if self.outcome is None and not (self._let_go and status == 0):
            self.death = self._death(fault, status)
            log.warning("The worker of %s ended without a result: %s", self._given.identity, self.death.clause)
        self._commands.close()
        self._changed()

    def _listen(self) -> str:
        """Read all reports; return what is wrong with them, or an empty string."""
        pipe, heard = self._process.stdout, 0
        if pipe is None:
            raise RuntimeError("it was started without a pipe")
        with pipe:
            while line := pipe.readline(MESSAGE_BYTES):
                heard += len(line)
                if not line.endswith(b"\n"):
                    return (
                        "it sent a report that is too long" if len(line) == MESSAGE_BYTES else ""
                    )  # cut off when it died
                if heard > ALL_BYTES:
                    return "it sent too many reports"
                self._hear(json.loads(line))
        return ""

    def _hear(self, said: dict[str, Any]) -> None:
        match said["event"]:
            case "reached":
                stage = Stage(said["stage"])
                self._files_of = Cause(said["files_of"])
                if stage is not self._stage:
                    self._stage = stage
                    self.reached.append(Reached(stage, datetime.now(UTC), time.monotonic()))
                    self._changed()
            case "ended":
                if self.outcome is None:
                    self.outcome = Outcome.from_json(said["outcome"])
                    self._changed()
            case "away":
                self._unreachable()
            case other:
                raise ValueError(f"unknown event {other!r}")

    def _wait(self) -> int:
        try:
            return self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _death(self, fault: str, status: int) -> Death:
        end, clause = _how(fault, status)
        return Death(end, clause, self._stage, self._files_of)


def _how(fault: str, status: int) -> tuple[WorkerEnd, str]:
    if fault:
        return WorkerEnd.BROKEN, fault
    if status == -signal.SIGPROF:
        return WorkerEnd.LIMIT, f"it used more than {STEP_CPU_S:g} s of CPU time in one step"
    if status == EXIT_MEMORY:
        return WorkerEnd.LIMIT, f"it needed more than {size_text(MEMORY_BYTES)} of memory"
    if status == -signal.SIGALRM:
        return WorkerEnd.LEASE, "the lease of its controller expired"
    if status >= 0:
        return WorkerEnd.BROKEN, f"it ended with exit code {status}"
    name = signal.Signals(-status).name
    if -status in _FROM_OUTSIDE:
        return WorkerEnd.KILLED, f"it was killed by {name}"
    return WorkerEnd.LIMIT, f"the process that read it crashed ({name})"


def _order_json(order: Order | Failure | None) -> object:
    return order.as_json() if isinstance(order, Failure) else order


def _spawn(program: str, request: dict[str, Any]) -> "tuple[subprocess.Popen[bytes], FileIO]":
    """Start the process; return it and the pipe for its orders. The request is an in-memory file, not a pipe."""
    commands_read, commands_write = os.pipe()
    asked = os.memfd_create("palio-request")
    try:
        os.set_blocking(commands_write, False)
        content = memoryview(json.dumps(request).encode())
        while content:
            content = content[os.write(asked, content) :]
        os.lseek(asked, 0, os.SEEK_SET)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, json.dumps(sys.path), str(commands_read)],
            stdin=asked,
            stdout=subprocess.PIPE,
            pass_fds=[commands_read, *([request["lease"]] if request["lease"] is not None else [])],
            env=_environment(),
        )
    except BaseException:
        os.close(commands_write)
        raise
    finally:
        os.close(commands_read)
        os.close(asked)
    return process, FileIO(commands_write, "w")


def _environment() -> dict[str, str]:
    """This environment without the platform's secrets; engines need the rest, such as DOCKER_HOST."""
    secrets = {
        "DATABASE_URL",
        *(f"PALIO_{each.name.upper()}" for each in fields(Configuration) if each.metadata["secret"]),
    }
    return {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in secrets}
