"""One tick: what the database says should run is compared with what is in hand, and each attempt is moved on.

    beat        a row says that the controller lives, and why nothing can run if so
    take up     what should run and is not in hand belonged to a process that is gone: a worker continues it
    advance     what is in hand has reached another stage, or ended: one legal move after the other is committed
    end         what was cancelled, or is overdue, is asked to end; a worker that does not obey is killed
    replace     a worker that ended without a result; see deaths for how often
    start       as long as slots are free, the next in turn
    tidy        what ended attempts left on the engine is removed

A tick that fails, because the database is busy or gone, changes nothing that the next one does not do again; a result
that a worker has told stays in hand until it is committed. An attempt whose handling fails ends with a failure of the
platform's, and the others continue. Nothing here reads a file of a participant's or an organizer's.
"""

import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import RUNNING, State, is_later
from palio.core.errors import Cause, Failure, PalioError, counted
from palio.core.quantities import MIB, duration_text, size_text
from palio.web.config.configuration import Configuration
from palio.web.config.data_folder import Folders
from palio.web.controller import assign, moves, worker_deaths
from palio.web.controller.active_attempt import InHand
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome, broken
from palio.web.controller.cleanup import Tidying
from palio.web.controller.engines import Engines, EngineWatch, Found
from palio.web.controller.expiry import Housekeeping
from palio.web.controller.heartbeat import Pulse
from palio.web.controller.requirements import Terms, TermsReader
from palio.web.controller.slots import Slots
from palio.web.controller.stepping import Order
from palio.web.controller.worker import Death, End, Reached, Worker, WorkerProcesses, Workers
from palio.web.models import Attempt, ControllerBeat
from palio.web.verbs.engine_support import refuse_unenforced, refuse_untrusted
from palio.web.verbs.queue import in_turn, recent_starts, waiting_now

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

IDLE_S, BUSY_S = 1.0, 0.2  # between ticks
BEAT_S = 5.0  # between beats that say the same
LEAST_FREE_BYTES = 256 * MIB  # with less, nothing is started
LET_GO_S = 3.0  # how long workers may take to stop when the controller does

log = logging.getLogger("palio.controller")


class Controller:
    """`changed` wakes it between ticks. `clock` measures how long things take, and is nobody's to set.

    What else is passed is for tests and benchmarks.
    """

    def __init__(
        self,
        configuration: Configuration,
        folders: Folders,
        *,
        key: "Ed25519PrivateKey | None" = None,
        engines: Engines | None = None,
        workers: Workers | None = None,
        pulse: Pulse | None = None,
        clock: Callable[[], float] = time.monotonic,
        still_alone: Callable[[], None] = lambda: None,
    ) -> None:
        self.changed = threading.Event()
        self._folders, self._clock, self._still_alone = folders, clock, still_alone
        self._engines, self._workers = engines or Engines(), workers or WorkerProcesses(key)
        self._pulse = pulse or Pulse()
        self._blamed = self._pulse.at_work  # what a controller before this one was killed at
        self._slots = Slots(configuration)
        self._terms = TermsReader(self.changed.set)
        self._held: dict[str, InHand] = {}
        self._abandoned: list[InHand] = []  # of attempts that have ended without them
        self._unheld: frozenset[str] = frozenset()  # should run, and could not be taken up yet
        self._beaten = 0.0
        self._beat: tuple[object, ...] | None = None
        last = Attempt.objects.exclude(engine="").filter(started__isnull=False).order_by("-started").first()
        self.watch = EngineWatch(configuration.engine, self._engines, self.changed, last.engine if last else "")
        self._tidying = Tidying(folders, self._engines, self._workers, self._is_active)
        self._housekeeping = Housekeeping()

    def run(self, stop: threading.Event) -> None:
        """Ticks until `stop` is set; then leaves all that runs to whoever comes next."""
        self.watch.start()
        while not stop.is_set():
            begin = time.monotonic()
            try:
                self._pulse.beat()
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
        with self._pulse.waiting():
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
        self._end_abandoned()
        self._start_next()
        if not self.watch.found.trouble:
            self._tidying.look(self.watch.found.name)
        self._housekeeping.look()

    def beat(self) -> None:
        found = self.watch.found
        says = (found.description, found.trouble or self._lack_of_room(), found.unenforced)
        if says != self._beat or time.monotonic() - self._beaten > BEAT_S:
            self._write_beat(f"{socket.gethostname()[:60]}:{os.getpid()}", *says)
            self._beat, self._beaten = says, time.monotonic()

    def let_go(self) -> None:
        """Everything in hand is left as it is; jobs go on."""
        self._drop()
        self._write_beat("", "", "", ())

    def _drop(self) -> None:
        for held in self._held.values():
            held.worker.order(Order.LET_GO)
        deadline = time.monotonic() + LET_GO_S
        for held in self._held.values():
            held.worker.join(max(0.0, deadline - time.monotonic()))

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
        given = assign.assignment(row, self._folders)
        terms = self._terms.of(given.bundle, given.phase)
        if terms is None:
            return
        state = State(row.state)
        deadline = timezone.now() + terms.times[Stage(state.value)]
        after_kill = self._blamed == row.identity
        if not moves.take_up(row.identity, after_kill=after_kill, deadline=deadline):
            count = counted(moves.MAX_KILLS, "time")
            self._end(row, Outcome.failed(PalioError("evaluation-killed", stage=state, count=count).failure))
            return
        self._blamed = "" if after_kill else self._blamed
        log.info("%s is taken up in its stage %s", row.identity, state)
        self._hold(row, given, terms)

    def _hold(self, row: Attempt, given: Assignment, terms: Terms) -> None:
        self._held[row.identity] = InHand(
            given=given,
            share=terms.scored if assign.is_only_scored(row) else terms.evaluated,
            times=terms.times,
            start=self._start_worker,
            worker=self._start_worker(given, None),
            deadline=self._clock() + terms.times[Stage(row.state)].total_seconds(),
        )

    def _start_worker(self, given: Assignment, order: Order | Failure | None) -> Worker:
        return self._workers.start(given, order, self.changed.set, self.watch.wake)

    def _attend(self, row: Attempt) -> None:
        held, now = self._held[row.identity], self._clock()
        # Before anything else is looked at: all that a worker has told is complete only once it has ended.
        has_ended = not held.worker.is_alive
        self._advance(row, held)
        if held.worker.outcome is not None:
            held.since = now if held.since is None else held.since
            if has_ended:
                self._finish(row, held.worker.outcome)
            elif held.is_unanswered(now):
                log.error("%s has its result, and its engine does not answer; it ends without it", row.identity)
                self._finish(row, held.worker.outcome)
        elif has_ended:
            self._replace(row, held, now)
        elif held.order is None:
            if row.cancel_requested:
                held.ask(Order.CANCEL, now)
            elif now > held.deadline:
                held.ask(_overdue(row, held), now)
        elif held.is_unanswered(now):
            log.error("%s does not end although it was asked to; its worker is killed", row.identity)
            held.worker.kill()

    def _advance(self, row: Attempt, held: InHand) -> None:
        """What a worker that continues tells again is no move."""
        while held.worker.reached:
            self._move(row, held, held.worker.reached[0])
            del held.worker.reached[0]

    def _move(self, row: Attempt, held: InHand, reached: Reached) -> None:
        stage = reached.stage
        if is_later(State(stage.value), State(row.state)):
            limit = held.times[stage]
            moves.advance(row.identity, stage, since=reached.since, deadline=reached.since + limit)
            row.state, held.deadline = stage.value, reached.monotonic + limit.total_seconds()

    def _finish(self, row: Attempt, outcome: Outcome) -> None:
        for stage in outcome.stages:  # those that another process has seen, or nobody
            self._move(row, self._held[row.identity], Reached(stage, timezone.now(), self._clock()))
        self._end(row, outcome)

    def _replace(self, row: Attempt, held: InHand, now: float) -> None:
        """Its worker is gone, and what it was doing is done by another one, or ended by it."""
        if held.closed:
            self._end(row, held.as_ordered())
            return
        if held.order is None:
            death = held.worker.death or Death(End.BROKEN, "it ended without a reason", None, Cause.ORGANIZER)
            held.order = worker_deaths.judge(row.identity, held.token, death)
        held.start_again(now)

    def _end(self, row: Attempt, outcome: Outcome) -> None:
        """Commits it, and only then forgets it."""
        if moves.end(row.identity, outcome):
            log.info("%s has ended: %s", row.identity, outcome.failure.code if outcome.failure else outcome.verdict)
        row.state = outcome.verdict.value
        self._abandon(row.identity)

    def _abandon(self, identity: str) -> None:
        held = self._held.pop(identity, None)
        if held is not None and held.worker.is_alive:
            held.ask(Order.CANCEL, self._clock())
            self._abandoned.append(held)
        self._tidying.note(identity)

    def _end_abandoned(self) -> None:
        self._abandoned = [held for held in self._abandoned if held.worker.is_alive]
        for held in self._abandoned:
            if held.is_unanswered(self._clock()):
                held.worker.kill()

    # -- what waits

    def _cancel_queued(self, row: Attempt) -> None:
        self._end(row, Outcome.cancelled())

    def _start_next(self) -> None:
        found = self.watch.found
        count = self._slots.count if found.runs_in_parallel else 1
        if len(self._held) >= count or not found.name or found.trouble or self._lack_of_room():
            return
        now = timezone.now()
        waiting = [each for each in waiting_now() if each.is_due(now)]

        without_room: list[str] = []

        def start(row: Attempt) -> None:
            if not self._start(row, found):
                without_room.append(row.identity)

        for each in in_turn(waiting, recent_starts()) if waiting else ():
            for row in _rows().filter(pk=each.identity, state=State.QUEUED):  # none if it was cancelled just now
                self._safely(row, start)
            if without_room:
                return

    def _start(self, row: Attempt, found: Found) -> bool:
        """False if it does not fit beside what runs."""
        given, only_scored = assign.assignment(row, self._folders, engine=found.name), assign.is_only_scored(row)
        terms = self._terms.of(given.bundle, given.phase)
        if terms is None:  # read in a moment, for which nobody else has to wait
            return True
        share = terms.scored if only_scored else terms.evaluated
        self._slots.refuse_impossible(share)
        if not only_scored:
            refuse_untrusted(row.submission.user, found.name)
            refuse_unenforced(row.submission.user, found.name, found.unenforced)
        if self._held and not found.runs_in_parallel:
            return False
        if not self._slots.has_room(share, [held.share for held in self._held.values()]):
            return False
        first = State.SCORE if only_scored else State.BUILD
        deadline = timezone.now() + terms.times[Stage(first.value)]
        if moves.begin(row.identity, first, engine=found.name, deadline=deadline):
            log.info("%s is started", row.identity)
            row.engine, row.state = found.name, first.value
            if found.unenforced:
                log.warning("%s runs although %s are not enforced", row.identity, ", ".join(found.unenforced))
            self._hold(row, given, terms)
        return True

    # -- its parts

    def _safely(self, row: Attempt, act: Callable[[Attempt], None]) -> None:
        """One attempt's fault ends that attempt, and nothing else."""
        self._pulse.at_work = row.identity
        try:
            act(row)
        except (DatabaseError, OSError):
            raise  # everybody's, and it may pass
        except PalioError as error:
            self._end(row, Outcome.failed(error.failure))
        except Exception as error:
            log.exception("The controller cannot handle %s", row.identity)
            self._end(row, Outcome.failed(broken(error)))
        finally:
            self._pulse.at_work = ""

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

    def _write_beat(self, process: str, engine: str, trouble: str, unenforced: tuple[str, ...]) -> None:
        values = {
            "time": timezone.now(),
            "process": process,
            "engine": engine[:200],
            "trouble": trouble,
            "unenforced": list(unenforced),
        }
        if not ControllerBeat.objects.filter(pk=1).update(**values):
            ControllerBeat.objects.create(pk=1, **values)


def _rows() -> QuerySet[Attempt]:
    return Attempt.objects.select_related(
        "version", "source", "submission__file", "submission__team", "submission__user", "submission__challenge"
    ).order_by("created", "identity")


def _overdue(row: Attempt, held: InHand) -> Failure:
    stage = Stage(row.state)
    limit = duration_text(held.times[stage].total_seconds())
    return PalioError("stage-overdue", stage=stage, limit=limit).failure
