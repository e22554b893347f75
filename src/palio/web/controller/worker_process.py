"""The process of one worker: reads its request, evaluates, and reports to the controller. Does not import Django.

Standard input is the request; the original standard output takes one JSON object per line, and print() goes to the log.
It ends with the controller: the kernel kills it when the thread that started it is gone, and it exits by itself when
the pipe with its orders closes.
"""

import ctypes
import fcntl
import json
import logging
import os
import select
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palio.core.attempt.run_folder import RunFolder, Stage
from palio.core.engine import Engine, Job, Work
from palio.core.errors import Cause, Failure
from palio.engines import find_fault, open_engine
from palio.engines.fault import Unavailable
from palio.engines.sources.accounts import Credential, use_teams_account
from palio.web.config.log_format import formatter, only_about
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.engines import Engines
from palio.web.controller.lease_clock import end_with_lease
from palio.web.controller.limits import EXIT_MEMORY, allow_a_step, keep_to_limits, lifted
from palio.web.controller.stepping import Order, evaluate

_PR_SET_PDEATHSIG = 1
_LOCK_POLL_S = 0.05

log = logging.getLogger("palio.controller")


class Gone(BaseException):
    """The controller is gone."""


def main(engines: Engines | None = None) -> None:
    """Evaluate one attempt and exit. Other engines than the real ones are for tests."""
    told = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    commands = int(sys.argv[2])
    for inherited in (told, commands):
        os.set_inheritable(inherited, False)
    status = 1
    try:
        request = json.load(sys.stdin)
        _end_with(request["parent"])
        if request["lease"] is not None:
            end_with_lease(request["lease"])
        _log_as_the_controller(request["log_format"])
        given = Assignment.from_json(request["assignment"])
        only_about(given.identity, given.submission_id)
        os.environ.update(given.engine_settings)
        if given.registry_account is not None:
            registry, username, secret = given.registry_account
            use_teams_account(registry, Credential(username, secret))
        keep_to_limits()
        work(given, request, Pipes(told, commands), engines or Engines(_open, find_fault))
        status = 0
    except MemoryError:
        status = EXIT_MEMORY
    except Gone:
        pass
    except BaseException:
        log.exception("The worker broke")
    finally:
        os._exit(status)  # without waiting for threads of an engine's library


def work(given: Assignment, request: dict[str, Any], line: "Pipes", engines: Engines) -> None:
    line.ordered = _order(request["order"])
    allow_a_step()
    lock = _lock(given.folder, line)
    try:
        if lock is not None:
            key = _key(request["key"])
            evaluate(given, line.noticing(engines), key, line, before_step=allow_a_step)
    finally:
        if lock is not None:
            os.close(lock)


@dataclass
class Pipes:
    """The line to the controller: see stepping.ControllerLine."""

    told: int
    commands: int
    ordered: Order | Failure | None = None
    _at: tuple[Stage, Cause] | None = None
    _has_ended: bool = False
    _is_away: bool = False
    _buffer: bytearray = field(default_factory=bytearray)

    def order(self) -> Order | Failure | None:
        self._read(0)
        return self.ordered

    def wait(self, seconds: float) -> None:
        if self.ordered is not Order.LET_GO:
            self._read(seconds)

    def reached(self, stage: Stage, files_of: Cause) -> None:
        if (stage, files_of) != self._at:
            self._at = stage, files_of
            self._tell({"event": "reached", "stage": stage, "files_of": files_of})

    def ended(self, outcome: Outcome) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._tell({"event": "ended", "outcome": outcome.as_json()})

    def noticing(self, engines: Engines) -> Engines:
        """The same engines, but an unreachable one is reported at once."""

        def look(name: str) -> Unavailable | None:
            fault = engines.fault(name)
            if fault is not None and not self._is_away:
                self._tell({"event": "away"})
            self._is_away = fault is not None
            return fault

        return Engines(engines.open, look)

    def _tell(self, message: dict[str, object]) -> None:
        content = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while content:
                content = content[os.write(self.told, content) :]
        except BrokenPipeError:
            raise Gone from None

    def _read(self, timeout_s: float) -> None:
        while select.select([self.commands], [], [], timeout_s)[0]:
            content = os.read(self.commands, 65536)
            if not content:
                raise Gone
            self._buffer += content
            while b"\n" in self._buffer:
                command, _, self._buffer = self._buffer.partition(b"\n")
                order = _order(json.loads(command))
                if self.ordered is None or order is Order.LET_GO:
                    self.ordered = order
                return
            timeout_s = 0


def _order(content: Any) -> Order | Failure | None:
    if content is None:
        return None
    return Order(content) if isinstance(content, str) else Failure.from_json(content)


def _key(content: str | None) -> Any:
    if content is None:
        return None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(content))


def _lock(folder: Path, line: Pipes) -> int | None:
    """A descriptor that locks the run folder; None if the worker was let go while it waited for the lock."""
    root = RunFolder.open(folder).root
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if line.order() is Order.LET_GO:
                os.close(descriptor)
                return None
            line.wait(_LOCK_POLL_S)


def _open(name: str) -> tuple[Engine, str]:
    """An engine whose jobs do not inherit the memory limit of this process."""
    engine, why = open_engine(name)
    start = engine.start

    def start_unlimited(work: Work) -> None:
        if not isinstance(work, Job):
            start(work)
            return
        with lifted():
            start(work)

    engine.start = start_unlimited  # type: ignore[method-assign]
    return engine, why


def _end_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it was gone before this was set up
        raise Gone


def _log_as_the_controller(log_format: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
