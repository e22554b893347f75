"""One tick: what the database says should run is compared with what is in hand, and each attempt is moved on.

    beat        a row says that the controller lives, and why nothing can run if so
    take up     what should run and is not in hand belonged to a process that is gone: it is gone on with
    advance     what is in hand has reached another stage, or ended: one legal move after the other is committed
    end         what was cancelled, or is overdue, is asked to end; what cannot, as its engine hangs, ends without it
    start       as long as slots are free, the next in turn
    tidy        what ended attempts left on the engine, as it was away, is removed

A tick that fails, as the database is busy or gone, changes nothing that the next does not do again. An attempt whose
handling fails ends with a failure of the platform's, and the others go on.
"""

import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.bundle.model import Rules, SubmissionKind
from palio.core.errors import Failure, PalioError, counted
from palio.core.job import MIB
from palio.core.quantities import duration_text, size_text
from palio.core.run_folder import Stage
from palio.core.states import RUNNING, State, is_later, time_in
from palio.web.configuration import Configuration
from palio.web.controller import assign, moves
from palio.web.controller.engines import Engines, EngineWatch
from palio.web.controller.held import Held
from palio.web.controller.housekeeping import Housekeeping
from palio.web.controller.outcome import Outcome, broken
from palio.web.controller.slots import Slots
from palio.web.controller.tidying import Tidying
from palio.web.folders import Folders
from palio.web.models import Attempt, ControllerBeat
from palio.web.verbs.queue import in_turn, recent_starts, waiting_now
from palio.web.verbs.trust import refuse_untrusted

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

IDLE_S, BUSY_S = 1.0, 0.2  # between ticks
BEAT_S = 5.0  # between beats that say the same
UNANSWERED_S = 20.0  # how long an attempt may take to end once it was asked to
LEAST_FREE_BYTES = 256 * MIB  # with less, nothing is started

log = logging.getLogger("palio.controller")


class Controller:
    """`changed` wakes it between ticks. What else is passed is for tests and benchmarks."""

    def __init__(
        self,
        configuration: Configuration,
        folders: Folders,
        *,
        key: "Ed25519PrivateKey | None" = None,
        engines: Engines | None = None,
        still_alone: Callable[[], None] = lambda: None,
    ) -> None:
        self.changed = threading.Event()
        self._configuration, self._folders, self._key = configuration, folders, key
        self._engines, self._still_alone = engines or Engines(), still_alone
        self._slots = Slots(configuration)
        self._held: dict[str, Held] = {}
        self._asked: dict[str, float] = {}  # since when they are to end
        self._abandoned: list[Held] = []
        self._unheld: frozenset[str] = frozenset()  # should run, and could not be taken up yet
        self._beaten = 0.0
        self._beat: tuple[str, str] | None = None
        before = ControllerBeat.objects.first()
        self._after_kill = before is not None and before.process != ""
        last = Attempt.objects.exclude(engine="").filter(started__isnull=False).order_by("-started").first()
        self.watch = EngineWatch(configuration.engine, self._engines, self.changed, last.engine if last else "")
        self._tidying = Tidying(folders, self._engines, self._is_active)
        self._housekeeping = Housekeeping()

    def run(self, stop: threading.Event) -> None:
        """Ticks until `stop` is set; then leaves all that runs to whoever comes next."""
        self.watch.start()
        while not stop.is_set():
            begin = time.monotonic()
            try:
                self.tick()
            except PalioError:  # another controller has taken its place
                self._drop()
                raise
            except (DatabaseError, OSError) as error:
                log.error("A tick failed, and is done again: %s", error)
                self.recover()
            except Exception:
                log.exception("A tick failed")
                self.recover()
            pause = BUSY_S if self._held else IDLE_S
            self.changed.wait(max(0.01, pause - (time.monotonic() - begin)))
            self.changed.clear()
        self.let_go()

    def tick(self) -> None:
        self._still_alone()
        self.beat()
        running = {row.identity: row for row in _rows().filter(state__in=[*RUNNING])}
        for identity in [*self._held.keys() - running.keys()]:  # ended by a hand that is not ours
            self._abandon(identity)
        for row in running.values():
            if row.identity not in self._held:
                self._safely(row, self._take_up)
            if row.identity in self._held:
                self._safely(row, self._attend)
        self._unheld = frozenset(
            row.identity for row in running.values() if row.state in RUNNING and row.identity not in self._held
        )
        for row in _rows().filter(state=State.QUEUED, cancel_requested__isnull=False):
            self._safely(row, self._cancel_queued)
        self._start_next()
        if not self.watch.found.trouble:
            self._tidying.look(self.watch.found.name)
        self._housekeeping.look()

    def beat(self) -> None:
        found = self.watch.found
        says = (found.description, found.trouble or self._lack_of_room())
        if says != self._beat or time.monotonic() - self._beaten > BEAT_S:
            self._write_beat(f"{socket.gethostname()[:60]}:{os.getpid()}", *says)
            self._beat, self._beaten = says, time.monotonic()

    def let_go(self) -> None:
        """Everything in hand is left as it is; jobs go on."""
        self._drop()
        self._write_beat("", "", "")

    def _drop(self) -> None:
        for held in self._held.values():
            held.let_go()
        deadline = time.monotonic() + 3
        for held in self._held.values():
            held.join(max(0.0, deadline - time.monotonic()))

    def recover(self) -> None:
        """After a tick that failed."""
        from django.db import connections

        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()

    @property
    def in_hand(self) -> int:
        return len(self._held)

    # -- what runs

    def _take_up(self, row: Attempt) -> None:
        state = State(row.state)
        given = assign.rules_of(row)
        deadline = timezone.now() + time_in(Stage(state.value), given)
        if not moves.take_up(row.identity, after_kill=self._after_kill, deadline=deadline):
            count = counted(moves.MAX_KILLS, "time")
            self._end(row, Outcome.failed(PalioError("controller-lost", stage=state, count=count).failure))
            return
        log.info("%s is taken up in its stage %s", row.identity, state)
        row.deadline = deadline
        self._hold(row)

    def _hold(self, row: Attempt) -> None:
        held = Held(assign.assignment(row, self._folders), self.watch.noticing(), self._key, self.changed)
        self._held[row.identity] = held
        held.start()

    def _attend(self, row: Attempt) -> None:
        held = self._held[row.identity]
        outcome = held.outcome
        rules = assign.rules_of(row)
        while held.stages:
            stage, since = held.stages[0]
            self._advance(row, stage, since, rules)
            del held.stages[0]
        if outcome is not None:
            for stage in outcome.stages:  # those that another process has seen, or nobody
                self._advance(row, stage, timezone.now(), rules)
            self._end(row, outcome)
        elif row.cancel_requested:
            self._ask(row, held, None)
        elif row.deadline is not None and row.deadline < timezone.now():
            self._ask(row, held, _overdue(row, rules))
        elif not held.is_alive:  # without an outcome, although it was not let go
            raise RuntimeError("its thread has ended")

    def _advance(self, row: Attempt, stage: Stage, since: datetime, rules: Rules) -> None:
        """What is told once more, by a process that has taken it up, is no move."""
        if is_later(State(stage.value), State(row.state)):
            deadline = since + time_in(stage, rules)
            moves.advance(row.identity, stage, since=since, deadline=deadline)
            row.state, row.deadline = stage.value, deadline

    def _ask(self, row: Attempt, held: Held, failure: Failure | None) -> None:
        """To end; and if it does not, as its thread waits for something that never comes, ends it without it."""
        since = self._asked.setdefault(row.identity, time.monotonic())
        if failure is None:
            held.cancel()
        else:
            held.fail(failure)
        if time.monotonic() - since > UNANSWERED_S:
            log.error("%s does not end although it was asked to; it is ended without it", row.identity)
            self._end(row, Outcome.failed(failure) if failure else Outcome.cancelled())

    def _end(self, row: Attempt, outcome: Outcome) -> None:
        """Commits it, and only then forgets it."""
        if moves.end(row.identity, outcome):
            log.info("%s has ended: %s", row.identity, outcome.failure.code if outcome.failure else outcome.verdict)
        row.state = outcome.verdict.value
        self._abandon(row.identity)

    def _abandon(self, identity: str) -> None:
        held = self._held.pop(identity, None)
        self._asked.pop(identity, None)
        if held is not None and held.is_alive:
            held.cancel()
            self._abandoned.append(held)
        self._abandoned = [each for each in self._abandoned if each.is_alive]
        self._tidying.note(identity)

    # -- what waits

    def _cancel_queued(self, row: Attempt) -> None:
        self._end(row, Outcome.cancelled())

    def _start_next(self) -> None:
        found = self.watch.found
        if len(self._held) >= self._slots.count or not found.name or found.trouble or self._lack_of_room():
            return
        now = timezone.now()
        waiting = [each for each in waiting_now() if each.not_before <= now]

        without_room: list[str] = []

        def start(row: Attempt) -> None:
            if not self._start(row, found.name):
                without_room.append(row.identity)

        for each in in_turn(waiting, recent_starts()) if waiting else ():
            for row in _rows().filter(pk=each.identity, state=State.QUEUED):  # none if it was cancelled just now
                self._safely(row, start)
            if without_room:
                return

    def _start(self, row: Attempt, engine: str) -> bool:
        """False if it does not fit beside what runs."""
        try:
            given = assign.assignment(row, self._folders, engine=engine)
            self._slots.refuse_impossible(given.share)
            refuse_untrusted(
                row.submission.user, engine, given.attempt.submission.kind, is_scored_only=bool(row.source)
            )
        except PalioError as error:
            self._end(row, Outcome.failed(error.failure))
            return True
        if not self._slots.has_room(given.share, [held.assignment.share for held in self._held.values()]):
            return False
        scored_only = row.source is not None or given.attempt.submission.kind is SubmissionKind.RESULTS
        first = State.SCORE if scored_only else State.BUILD
        deadline = timezone.now() + time_in(Stage(first.value), given.attempt.phase.rules)
        if moves.begin(row.identity, first, engine=engine, deadline=deadline):
            log.info("%s is started", row.identity)
            row.engine = engine
            self._hold(row)
        return True

    # -- its parts

    def _safely(self, row: Attempt, act: Callable[[Attempt], None]) -> None:
        """One attempt's fault ends that attempt, and nothing else."""
        try:
            act(row)
        except (DatabaseError, OSError):
            raise  # everybody's, and it may pass
        except PalioError as error:
            self._end(row, Outcome.failed(error.failure))
        except Exception as error:
            log.exception("The controller cannot handle %s", row.identity)
            self._end(row, Outcome.failed(broken(error)))

    def _is_active(self, identity: str) -> bool:
        return identity in self._held or identity in self._unheld

    def _lack_of_room(self) -> str:
        free = shutil.disk_usage(self._folders.runs).free
        if free >= LEAST_FREE_BYTES:
            return ""
        return (
            f"The disk that holds {self._folders.runs} has {size_text(free)} free, and with less than "
            f"{size_text(LEAST_FREE_BYTES)} nothing is started. Free some space there."
        )

    def _write_beat(self, process: str, engine: str, trouble: str) -> None:
        values = {"time": timezone.now(), "process": process, "engine": engine[:200], "trouble": trouble}
        if not ControllerBeat.objects.filter(pk=1).update(**values):
            ControllerBeat.objects.create(pk=1, **values)


def _rows() -> QuerySet[Attempt]:
    return Attempt.objects.select_related(
        "version", "source", "submission__file", "submission__team", "submission__user", "submission__challenge"
    ).order_by("created", "identity")


def _overdue(row: Attempt, rules: Rules) -> Failure:
    stage = Stage(row.state)
    limit: timedelta = time_in(stage, rules)
    return PalioError("stage-overdue", stage=stage, limit=duration_text(limit.total_seconds())).failure
