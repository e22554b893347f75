"""Every wait of the controller as a point where anything may happen: workers move, die or hang, somebody cancels, the
database refuses, before a commit or after it, time passes, the controller is killed.

Workers are models (scripted), the database is the real one. A schedule is a list of numbers: at each point the next one
says what happens there. What must hold: no job runs twice, what has a result keeps it, one end for each attempt,
nothing stays, and who is charged.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.web.controller.scripted_workers import ScriptedWorkers
from tests.web.controller.stepped_controller import SteppedController, add_submission, unlock
from tests.web.world import World

from palio.core.attempt.run_folder import Verdict
from palio.core.attempt.states import ENDS, State
from palio.web.controller import assign, moves, worker_deaths
from palio.web.controller.loop import Controller
from palio.web.controller.outgoing import Jobs
from palio.web.controller.worker import WorkerEnd
from palio.web.models import Attempt, Event, Submission

MOVES = [(moves, "begin"), (moves, "advance"), (moves, "take_up"), (moves, "end"), (worker_deaths, "judge")]
ALL_STEP, ALL_END, SHOT, CONTROLLER_KILLED, REFUSED, NOTHING = 0, 5, 7, 13, 14, 15
STALLS = 25.0  # seconds that a database may take


class KilledError(BaseException):
    """The controller is gone, in the middle of what it did."""


class Explorer:
    """Runs one schedule."""

    def __init__(self, world: World, stepped: SteppedController, schedule: list[int]) -> None:
        self.world, self.now_s, self._left = world, 1000.0, iter(schedule)
        self.workers = ScriptedWorkers(lambda: self.now_s)
        self._stepped = stepped
        self.controller = self._new_controller()
        self.is_open = True  # whether anything may happen yet

    def run(self) -> None:
        with self._points():
            while self.is_open:
                self._tick()
        self._come_to_an_end()

    def _new_controller(self) -> Controller:
        made = Controller(
            self._stepped.configuration,
            django.FOLDERS,
            engines=self._stepped.engines(),
            workers=self.workers,
            clock=lambda: self.now_s,
            jobs=Jobs([]),
            requirements=self._stepped.controller._requirements,  # read once, before anything happens
        )
        made.watch.look()
        made._cleanup._looked_at_all = float("inf")  # it starts threads, which have tests of their own
        return made

    def _tick(self) -> None:
        try:
            self.controller.tick()
        except KilledError:
            for worker in self.workers.living:
                worker.die(WorkerEnd.KILLED)
            self.controller = self._new_controller_quietly()
        except DatabaseError:
            self.controller.recover()
        self._point()

    def _new_controller_quietly(self) -> Controller:
        before, self.is_open = self.is_open, False
        unlock(self.controller)
        made = self._new_controller()
        self.is_open = before
        return made

    def _come_to_an_end(self) -> None:
        """Nothing disturbs it any more."""
        for _ in range(400):
            self.controller.tick()
            for worker in self.workers.living:
                worker.step()
            self.now_s += 3
            Attempt.objects.filter(state=State.QUEUED).update(not_before=timezone.now())
            if not Attempt.objects.exclude(state__in=[*ENDS]).exists():
                return
        raise AssertionError(list(Attempt.objects.values_list("identity", "state", "failure_code")))

    def _point(self, *, may_fail: bool = False) -> None:
        if not self.is_open:
            return
        number = next(self._left, None)
        if number is None:
            self.is_open = False
            return
        living = self.workers.living
        worker = living[number // 16 % len(living)] if living else None
        match number % 16:
            case 0 | 1 | 2 | 3 | 4:
                for each in living:
                    each.step()
            case 5:
                for each in living * 14:  # to their very end
                    each.step()
            case 6 if worker:
                worker.step()
            case 7 if worker:
                worker.die(WorkerEnd.KILLED)
            case 8 if worker:
                worker.die(WorkerEnd.LIMIT)
            case 9 if worker:
                worker.hang()
            case 10:
                self.now_s += STALLS
            case 11:
                self.now_s += 400  # past every deadline
            case 12:
                self._quietly(
                    lambda: Attempt.objects.exclude(state__in=[*ENDS]).update(cancel_requested=timezone.now())
                )
            case 13 if may_fail:
                raise KilledError
            case 14 if may_fail:
                raise OperationalError("database is locked")

    def _quietly(self, act: Callable[[], object]) -> None:
        before, self.is_open = self.is_open, False
        act()
        self.is_open = before

    @contextmanager
    def _points(self) -> Iterator[None]:
        """At each query, and after each commit of a move."""

        def query(execute: Callable[..., Any], *arguments: Any) -> Any:
            if not arguments[0].startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                self._point(may_fail=True)
            return execute(*arguments)

        def after(made: Callable[..., Any]) -> Callable[..., Any]:
            def moving(*arguments: Any, **more: Any) -> Any:
                found = made(*arguments, **more)
                self._point(may_fail=True)  # it is committed, and whoever asked for it does not know
                return found

            return moving

        with pytest.MonkeyPatch.context() as patch, connection.execute_wrapper(query):
            for module, name in MOVES:
                patch.setattr(module, name, after(getattr(module, name)))
            yield


@pytest.mark.django_db(transaction=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 63), min_size=20, max_size=150))
def test_any_event_between_steps(
    world: World, make_controller: Callable[..., SteppedController], schedule: list[int]
) -> None:
    explore(world, make_controller(slots=3), schedule, count=4)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("happening", [ALL_END, SHOT, CONTROLLER_KILLED, REFUSED])
def test_each_event_at_each_step(
    world: World, make_controller: Callable[..., SteppedController], happening: int
) -> None:
    stepped = make_controller(slots=3)
    for number in range(90):
        schedule = [*([NOTHING, NOTHING, ALL_STEP] * 30)[:number], happening]
        explore(world, stepped, schedule, count=1)


def explore(world: World, stepped: SteppedController, schedule: list[int], *, count: int) -> None:
    for number, (team, user) in enumerate([(world.team, world.bob), (world.rivals, world.carol)] * 2):
        if number < count:
            add_submission(team, user, extra=str(number).encode())
    read_requirements(stepped)
    explorer = Explorer(world, stepped, schedule)
    try:
        explorer.run()
        check(explorer)
    finally:
        unlock(explorer.controller)
        Submission.objects.update(counted=None)
        for model in (Event, Attempt, Submission):
            model.objects.all().delete()


def read_requirements(stepped: SteppedController) -> None:
    given = assign.assignment(Attempt.objects.select_related("version", "submission__file")[0], django.FOLDERS)
    deadline = time.monotonic() + 60
    while stepped.controller._requirements.of(given.bundle, given.phase) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def cancel_all() -> None:
    Attempt.objects.exclude(state__in=[*ENDS]).update(cancel_requested=timezone.now())


def check(explorer: Explorer) -> None:
    for attempt in Attempt.objects.all():
        events = Event.objects.filter(attempt=attempt.identity)
        ends = [event for event in events if event.kind == "attempt.moved" and event.detail["new"] in ENDS]
        assert len(ends) == 1
        folder = explorer.workers.folders.get(attempt.identity)
        if folder is None:
            assert attempt.state == State.CANCELLED
            continue
        assert all(count == 1 for count in folder.ran.values())
        counted = events.filter(kind="attempt.worker-ended").count()
        assert counted <= folder.deaths
        if folder.verdict is not None and folder.verdict.verdict is Verdict.SCORED and folder.deaths == 0:
            assert (attempt.state, attempt.scores) == (State.SCORED, {"accuracy": 1.0})
    for submission in Submission.objects.all():
        attempts = list(submission.attempts.order_by("number"))
        scored = [attempt for attempt in attempts if attempt.state == State.SCORED]
        assert len(attempts) <= 4
        assert len(scored) <= 1
        assert submission.counted == (scored[0] if scored else None)
        own = attempts[-1].failure is not None and attempts[-1].failure["charged"]
        assert submission.charged == bool(scored or own)
        assert all(attempt.failure_cause == "platform" for attempt in attempts[:-1])
