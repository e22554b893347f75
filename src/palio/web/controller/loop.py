"""The loop: each tick compares what should run with the active attempts, and moves each attempt on.

    beat        the lease is renewed, see lease_renewal; if it expired, all attempts are dropped
    take up     an attempt that should run and whose controller is gone is taken: a worker continues it
    advance     an active attempt has reached another stage or is over: its legal moves are committed one by one
    end         a cancelled or overdue attempt is asked to end; a worker that does not obey is killed
    replace     a worker that ended without a result is replaced; see `worker_deaths` for how often
    start       the next attempts in the queue start while slots are free; see dispatch
    clean up    leftovers of finished attempts on the engine are removed
    migrate     a phase that takes over submissions evaluates those of the phase before; see migration
    send        mail and events are sent, in threads; see outgoing
    statistics  a change of a leaderboard starts the update of its statistics; see statistics
    repeat      while nothing runs or waits, public cases run a second time; see sample_repeats

A tick that fails because the database is busy or unreachable is simply repeated by the next one; a result that a worker
has reported is kept until it is committed. An attempt that cannot be handled fails with a platform error while the
others continue. The loop reads no file of a participant or an organizer.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import RUNNING, State, is_later
from palio.core.attempt.waiting import read_waiting
from palio.core.errors import Cause, Failure, PalioError, counted
from palio.core.quantities import duration_text
from palio.web.config.configuration import Configuration
from palio.web.config.data_folder import Folders
from palio.web.config.log_format import about
from palio.web.controller import assign, moves, worker_deaths
from palio.web.controller.active_attempt import ActiveAttempt
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome, broken
from palio.web.controller.background import in_thread
from palio.web.controller.cleanup import Cleanup
from palio.web.controller.dispatch import Dispatcher
from palio.web.controller.engines import Engines
from palio.web.controller.expiry import Expiry
from palio.web.controller.heartbeat import Heartbeat
from palio.web.controller.lease import Lease, LeaseLostError
from palio.web.controller.lease_renewal import LeaseRenewal
from palio.web.controller.mail import send_mail
from palio.web.controller.migration import PhaseMigration
from palio.web.controller.occasions import look_at_time
from palio.web.controller.outgoing import Jobs, Periodic
from palio.web.controller.pools import Pool, Pools
from palio.web.controller.requirements import Requirements, RequirementsReader
from palio.web.controller.sample_repeats import SampleRepeats
from palio.web.controller.statistics import StatisticsUpdate
from palio.web.controller.stepping import Order
from palio.web.controller.traces import NoTraces, Traces
from palio.web.controller.webhooks import send_webhooks
from palio.web.controller.worker import Death, Reached, Worker, WorkerEnd, WorkerProcesses, Workers
from palio.web.models import Attempt
from palio.web.verbs import counters

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

IDLE_S, BUSY_S = 1.0, 0.2  # between ticks
LET_GO_S = 3.0  # for workers to stop when the controller does

log = logging.getLogger("palio.controller")


class Controller:
    """`changed` wakes it between ticks. `clock` is a monotonic clock.

    The other parameters are for tests and benchmarks.
    """

    def __init__(
        self,
        configuration: Configuration,
        folders: Folders,
        *,
        key: "Ed25519PrivateKey | None" = None,
        engines: Engines | None = None,
        workers: Workers | None = None,
        heartbeat: Heartbeat | None = None,
        clock: Callable[[], float] = time.monotonic,
        statistics: StatisticsUpdate | None = None,
        migration: PhaseMigration | None = None,
        jobs: Jobs | None = None,
        traces: Traces | None = None,
        requirements: RequirementsReader | None = None,
        start_repeats: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        self.changed = threading.Event()
        self.lease = Lease(folders)
        self._folders, self._clock = folders, clock
        self._engines = engines or Engines()
        self._workers = workers or WorkerProcesses(key, log_format=configuration.log_format, clock=self.lease.clock)
        self._heartbeat = heartbeat or Heartbeat()
        self._blamed = self._heartbeat.at_work  # what an earlier controller was working on when it was killed
        self._substitutes = configuration.images
        self._requirements = requirements or RequirementsReader(self.changed.set)
        self._active: dict[str, ActiveAttempt] = {}
        self._abandoned: list[ActiveAttempt] = []  # whose attempts ended without them
        self._lost_leases = self._lost_attempts = 0  # that are not counted in the database yet
        last = Attempt.objects.exclude(engine="").filter(started__isnull=False).order_by("-started").first()
        self._pools = Pools(configuration, self._engines, self.changed, last.engine if last else "")
        self.watch = self._pools.default.watch
        self._renewal = LeaseRenewal(self.lease, self._pools, folders.runs)
        self._dispatcher = Dispatcher(
            folders,
            pools=self._pools,
            requirements=self._requirements,
            substitutes=self._substitutes,
            lease=self.lease,
            active=self._active,
            clock=clock,
        )
        self._cleanup = Cleanup(folders, self._engines, self._workers)
        self._expiry = Expiry()
        self._statistics = statistics or StatisticsUpdate(folders)
        self._migration = migration or PhaseMigration()
        self._jobs = jobs or Jobs([Periodic(send_mail), Periodic(look_at_time), Periodic(send_webhooks)])
        self._traces = traces or NoTraces()
        self._repeats = SampleRepeats(
            folders, self._workers, self._requirements, self._pools, self._substitutes, self._clock, start_repeats
        )

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; then leave all running attempts to the next controller."""
        for watch in self._pools.watches:
            watch.start()
        while not stop.is_set():
            begin = time.monotonic()
            try:
                self._heartbeat.beat()
                with self._traces.tick():
                    self.tick()
            except PalioError:  # the data folder is not shared
                self._drop()
                raise
            except (DatabaseError, OSError) as error:
                log.error("A tick failed; retrying: %s", error)
                self.recover()
            except Exception:
                log.exception("A tick failed")
                self.recover()
            pause = BUSY_S if self._active else IDLE_S
            self.changed.wait(max(0.01, pause - (time.monotonic() - begin)))
            self.changed.clear()
        self.let_go()

    def tick(self) -> None:
        self.beat()
        free = {row.identity: row for row in _running().filter(self.lease.free())}
        held = {identity: free.pop(identity) for identity in [*free] if free[identity].holder_id == self.lease.id}
        for identity, active in [*self._active.items()]:
            if identity not in held or held[identity].fencing_token != active.fencing_token:
                self._lose(identity)
        own_share = math.ceil(len(free) / self.lease.controllers)  # the others take theirs
        if not self.watch.found.runs_in_parallel:
            own_share = self._dispatcher.free(self._pools.default)
        for row in [*held.values(), *[*free.values()][:own_share]]:
            self._beat_if_due()
            if row.identity not in self._active:
                for whole in _rows().filter(pk=row.pk):
                    self._safely(whole, self._take_up)
                    row.state, row.fencing_token = whole.state, whole.fencing_token
            if row.identity in self._active:
                self._safely(row, self._attend)
        for row in _rows().filter(state=State.QUEUED, cancel_requested__isnull=False):
            self._safely(row, self._cancel_queued)
        self._end_abandoned()
        self._count_losses()
        self._start_next()
        self._cleanup.look([each.found.name for each in self._pools.watches if not each.found.trouble])
        if self.lease.leads:
            self._expiry.look()
            self._migration.look()
            self._statistics.look()
            is_idle = not self._active and not self.watch.found.trouble and not self._renewal.lack_of_room()
            self._repeats.look(self.watch.found, is_idle=is_idle and bool(self.watch.found.name))
            self._jobs.look()
        else:
            self._repeats.let_go(LET_GO_S)

    def beat(self) -> None:
        try:
            self._renewal.look()
        except LeaseLostError:
            log.error("The lease expired before it was renewed; other controllers may have the attempts")
            self._lost_leases += 1
            for identity in [*self._active]:
                self._lose(identity)
            self._renewal.look()

    def _beat_if_due(self) -> None:
        """Called between attempts: with thousands of them, a tick can last longer than a lease."""
        if self._renewal.is_due:
            self._heartbeat.beat()
            self.beat()

    def let_go(self) -> None:
        """Leave all active attempts as they are; their jobs keep running."""
        self._drop()
        self.lease.release()
        self._traces.close()

    def _drop(self) -> None:
        for active in self._active.values():
            active.worker.order(Order.LET_GO)
        self._repeats.let_go(LET_GO_S)
        deadline = time.monotonic() + LET_GO_S
        for active in self._active.values():
            active.worker.join(max(0.0, deadline - time.monotonic()))

    def recover(self) -> None:
        """Called after a tick that failed."""
        from django.db import connections

        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()

    @property
    def active_attempts(self) -> int:
        return len(self._active)

    # -- active attempts

    def _take_up(self, row: Attempt) -> None:
        given = assign.assignment(row, self._folders, substitutes=self._substitutes)
        requirements = self._requirements.of(given.bundle, given.phase)
        if requirements is None:
            return
        state = State(row.state)
        deadline = timezone.now() + requirements.times[Stage(state.value)]
        after_kill = self._blamed == row.identity
        taken = moves.take_up(row.identity, lease=self.lease, after_kill=after_kill, deadline=deadline)
        if taken is None:  # another controller was faster
            return
        row.fencing_token, is_over = taken
        if is_over:
            count = counted(moves.MAX_KILLS, "time")
            self._end(row, Outcome.failed(PalioError("evaluation-killed", stage=state, count=count).failure))
            return
        self._blamed = "" if after_kill else self._blamed
        log.info("Taking up %s in stage %s", row.identity, state)
        try:
            pool = self._pools.of(requirements.engine)
        except PalioError as error:  # what runs is seen to its end
            log.warning("%s continues on the platform's engine: %s", row.identity, error)
            pool = self._pools.default
        self._hold(row, given, requirements, pool)

    def _hold(self, row: Attempt, given: Assignment, requirements: Requirements, pool: Pool) -> None:
        given = replace(given, engine_settings=pool.environment)
        self._active[row.identity] = ActiveAttempt(
            given=given,
            pool=pool,
            share=requirements.share(only_scored=assign.is_only_scored(row)),
            times=requirements.times,
            start=self._start_worker,
            worker=self._start_worker(given, None),
            deadline=self._clock() + requirements.times[Stage(row.state)].total_seconds(),
            fencing_token=row.fencing_token,
            stage_since=row.moved,
            started=row.started or row.moved,
        )

    def _start_worker(self, given: Assignment, order: Order | Failure | None) -> Worker:
        return self._workers.start(given, order, self.changed.set, self.watch.wake)

    def _attend(self, row: Attempt) -> None:
        active, now = self._active[row.identity], self._clock()
        # Checked first: what a worker has reported is complete only once it is gone.
        has_ended = not active.worker.is_alive
        self._advance(row, active)
        if active.worker.outcome is not None:
            active.since = now if active.since is None else active.since
            if has_ended:
                self._finish(row, active.worker.outcome)
            elif active.is_unanswered(now):
                log.error("%s has its result but its engine is unreachable; ending without it", row.identity)
                self._finish(row, active.worker.outcome)
        elif has_ended:
            self._replace(row, active, now)
        elif active.order is None:
            if row.cancel_requested:
                active.ask(Order.CANCEL, now)
            elif now > active.deadline and read_waiting(active.given.folder) is not None:
                active.deadline = now + active.times[Stage(row.state)].total_seconds()  # it has not begun
            elif now > active.deadline:
                active.ask(_overdue(row, active), now)
        elif active.is_unanswered(now):
            log.error("%s did not end when asked to; killing its worker", row.identity)
            active.worker.kill()

    def _advance(self, row: Attempt, active: ActiveAttempt) -> None:
        """Repeated stage reports after recovery are ignored."""
        while active.worker.reached:
            self._move(row, active, active.worker.reached[0])
            del active.worker.reached[0]

    def _move(self, row: Attempt, active: ActiveAttempt, reached: Reached) -> None:
        stage = reached.stage
        if is_later(State(stage.value), State(row.state)):
            limit = active.times[stage]
            deadline = reached.since + limit
            token = active.fencing_token
            moves.advance(row.identity, stage, lease=self.lease, token=token, since=reached.since, deadline=deadline)
            self._traces.stage(row.identity, row.submission_id, Stage(row.state), active.stage_since, reached.since)
            row.state, active.deadline = stage.value, reached.monotonic + limit.total_seconds()
            active.stage_since = reached.since

    def _finish(self, row: Attempt, outcome: Outcome) -> None:
        for stage in outcome.stages:  # those that only another process saw, or none
            self._move(row, self._active[row.identity], Reached(stage, timezone.now(), self._clock()))
        self._end(row, outcome)

    def _replace(self, row: Attempt, active: ActiveAttempt, now: float) -> None:
        """Let another worker continue for one that is gone, or end the attempt."""
        if active.closed:
            self._end(row, active.as_ordered())
            return
        if active.order is None:
            death = active.worker.death or Death(
                WorkerEnd.BROKEN, "it ended for an unknown reason", None, Cause.ORGANIZER
            )
            if death.end is WorkerEnd.LEASE:
                self._lose(row.identity)
                return
            active.order = worker_deaths.judge(
                row.identity, active.token, death, lease=self.lease, token=active.fencing_token
            )
        active.start_again(now)

    def _end(self, row: Attempt, outcome: Outcome) -> None:
        """Commit the result, and only then forget the attempt."""
        moves.end(row.identity, outcome, lease=self.lease, token=row.fencing_token)
        self._trace_end(row, outcome)
        log.info("%s finished: %s", row.identity, outcome.failure.code if outcome.failure else outcome.verdict)
        row.state = outcome.verdict.value
        self._abandon(row.identity, Order.CANCEL)

    def _trace_end(self, row: Attempt, outcome: Outcome) -> None:
        active, now = self._active.get(row.identity), timezone.now()
        if active is None:  # it never left the queue, or was not taken up
            return
        code = outcome.failure.code if outcome.failure else ""
        self._traces.stage(row.identity, row.submission_id, Stage(row.state), active.stage_since, now, code)
        self._traces.attempt(row.identity, row.submission_id, active.started, now, outcome.verdict)

    def _lose(self, identity: str) -> None:
        """Stop working on an attempt and leave everything to its next controller, or to the cleanup if it is over."""
        if identity in self._active:
            log.warning("%s belongs to another controller now, or is taken up again", identity)
            self._lost_attempts += 1
            self._abandon(identity, Order.LET_GO)

    def _count_losses(self) -> None:
        if self._lost_leases or self._lost_attempts:
            counters.count_losses(leases=self._lost_leases, attempts=self._lost_attempts)
            self._lost_leases = self._lost_attempts = 0

    def _abandon(self, identity: str, order: Order) -> None:
        active = self._active.pop(identity, None)
        if active is not None and active.worker.is_alive:
            active.ask(order, self._clock())
            self._abandoned.append(active)
        self._cleanup.note(identity)

    def _end_abandoned(self) -> None:
        self._abandoned = [active for active in self._abandoned if active.worker.is_alive]
        for active in self._abandoned:
            if active.is_unanswered(self._clock()):
                active.worker.kill()

    # -- waiting attempts

    def _cancel_queued(self, row: Attempt) -> None:
        self._end(row, Outcome.cancelled())

    def _start_next(self) -> None:
        if self._renewal.lack_of_room():
            return
        for identity in self._dispatcher.due():
            if self._repeats.is_running:
                self._repeats.make_room()
                return
            self._beat_if_due()
            for row in _rows().filter(pk=identity, state=State.QUEUED):  # none if it was just cancelled
                self._safely(row, self._start)

    def _start(self, row: Attempt) -> None:
        started = self._dispatcher.start(row)
        if started is not None:
            self._hold(row, started.given, started.requirements, started.pool)

    # -- helpers

    def _safely(self, row: Attempt, act: Callable[[Attempt], None]) -> None:
        """Handle one attempt so that an error ends only that attempt."""
        self._heartbeat.at_work = row.identity
        with about(row.identity, row.submission_id):
            try:
                self._act(row, act)
            except LeaseLostError:
                self._lose(row.identity)
            finally:
                self._heartbeat.at_work = ""

    def _act(self, row: Attempt, act: Callable[[Attempt], None]) -> None:
        try:
            act(row)
        except (DatabaseError, OSError, LeaseLostError):
            raise  # affects all attempts and may pass, or is no fault of the attempt
        except PalioError as error:
            self._end(row, Outcome.failed(error.failure))
        except Exception as error:
            log.exception("Cannot handle %s", row.identity)
            self._end(row, Outcome.failed(broken(error)))


def _running() -> QuerySet[Attempt]:
    """Only what a tick needs of each running attempt."""
    needed = Attempt.objects.only("submission", "state", "cancel_requested", "holder", "fencing_token")
    return needed.filter(state__in=[*RUNNING]).order_by("created", "identity")


def _rows() -> QuerySet[Attempt]:
    return Attempt.objects.select_related(
        "version", "source", "submission__file", "submission__team", "submission__user", "submission__challenge"
    ).order_by("created", "identity")


def _overdue(row: Attempt, active: ActiveAttempt) -> Failure:
    stage = Stage(row.state)
    limit = duration_text(active.times[stage].total_seconds())
    return PalioError("stage-overdue", stage=stage, limit=limit).failure
