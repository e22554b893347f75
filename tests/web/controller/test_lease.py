"""Several controllers with one PostgreSQL database: who has which attempt, and what one without a lease cannot do."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from tests.web.controller import controller_processes
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.misbehaving_worker import GO_ON, please, program
from tests.web.controller.programmed_engine import ProgrammedEngine
from tests.web.controller.stepped_controller import SteppedController, add_submission, moves, unlock
from tests.web.world import World

from palio.core.attempt.run_folder import Stage, Verdict
from palio.core.attempt.states import RUNNING, State
from palio.core.errors import Cause, PalioError
from palio.web.config.data_folder import Folders
from palio.web.controller import lease as module
from palio.web.controller import moves as moves_made
from palio.web.controller import worker, worker_deaths
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.engines import Engines
from palio.web.controller.lease import Lease, LeaseLostError, refuse_unshared
from palio.web.controller.lease_clock import LEASE_S
from palio.web.controller.loop import Controller
from palio.web.controller.worker import Death, WorkerEnd
from palio.web.models import Attempt, ControllerBeat, Event
from palio.web.queries.metrics import PlatformCollector

several = pytest.mark.skipif("DATABASE_URL" not in os.environ, reason="runs on PostgreSQL, see test_on_postgresql.py")
SCORED = Outcome(Verdict.SCORED, scores={"accuracy": 0.5}, stages=(Stage.BUILD, Stage.PREDICT, Stage.SCORE))
SHOWN = {"process": "here:1", "slots": 1, "engine": "fake", "trouble": "", "unenforced": []}
TAKEN_OVER_S = 30.0


@pytest.fixture
def two(make_controller: MakeDesk) -> tuple[SteppedController, SteppedController]:
    """With the same engine and the same run folders."""
    first, second = make_controller(slots=2), make_controller(slots=2)
    second.workers._locks = first.workers._locks
    return first, second


def submit(world: World, count: int) -> list[Attempt]:
    return [
        add_submission(*((world.team, world.bob), (world.rivals, world.carol))[number % 2], extra=b"%d" % number)
        for number in range(count)
    ]


def tick(*desks: SteppedController, until: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline, list(Attempt.objects.values_list("identity", "state", "holder"))
        for desk in desks:
            desk.controller.tick()
        time.sleep(0.02)


def held_by(desk: SteppedController) -> set[str]:
    held = Attempt.objects.filter(holder=desk.controller.lease.id, state__in=[*RUNNING])
    return set(held.values_list("identity", flat=True))


def expire(desk: SteppedController) -> None:
    ControllerBeat.objects.filter(pk=desk.controller.lease.id).update(expires=Now() - timedelta(seconds=1))


def all_scored() -> bool:
    return not Attempt.objects.exclude(state=State.SCORED).exists()


# -- two controllers in one process


@several
@pytest.mark.django_db
def test_work_is_divided_by_free_slots_and_nothing_runs_twice(
    two: tuple[SteppedController, SteppedController], world: World
) -> None:
    first, second = two
    for desk in two:
        desk.engine.lasting.add("predict")
    attempts = submit(world, 7)
    tick(*two, until=lambda: Attempt.objects.filter(state="predict").count() == 4)
    for _ in range(5):
        tick(*two, until=lambda: True)
    assert (len(held_by(first)), len(held_by(second))) == (2, 2)
    assert Attempt.objects.filter(state="queued").count() == 3
    for desk in two:
        desk.engine.lasting.clear()
    tick(*two, until=all_scored)
    assert all(moves(attempt) == ["build", "predict", "score", "scored"] for attempt in attempts)
    assert sorted(first.engine.ran) == sorted(["build", "predict", "score-image", "score"] * len(attempts))
    assert not Event.objects.filter(kind="attempt.taken-up").exists()
    assert not Attempt.objects.exclude(holder=None).exists()


@several
@pytest.mark.django_db
def test_where_jobs_must_not_run_side_by_side_one_runs_on_a_machine(
    two: tuple[SteppedController, SteppedController], world: World
) -> None:
    for desk in two:
        desk.controller.watch.found = replace(desk.controller.watch.found, runs_in_parallel=False)
        desk.controller.tick()
    attempts, most = submit(world, 3), 0

    def is_over() -> bool:
        nonlocal most
        most = max(most, Attempt.objects.filter(state__in=[*RUNNING]).count())
        return all_scored()

    tick(*two, until=is_over)
    assert most == 1
    assert len(attempts) == 3


@several
@pytest.mark.django_db
@pytest.mark.parametrize("ends", [expire, lambda desk: unlock(desk.controller)], ids=["expired", "dead"])
def test_attempts_of_one_that_is_gone_are_taken_over_and_continued(
    two: tuple[SteppedController, SteppedController], world: World, ends: Callable[[SteppedController], None]
) -> None:
    first, second = two
    first.engine.lasting.add("predict")
    attempts = submit(world, 2)
    tick(first, until=lambda: Attempt.objects.filter(state="predict").count() == 2)
    tick(second, until=lambda: second.controller.lease.id)
    assert held_by(second) == set()
    for each in first.workers.made:
        each.kill()
    ends(first)
    second.controller._renewal.renewed = -1e9  # its next heartbeat is due
    tick(second, until=all_scored)
    assert all(moves(attempt) == ["build", "predict", "score", "scored"] for attempt in attempts)
    assert first.engine.ran.count("predict") == 2
    taken = Event.objects.filter(kind="attempt.taken-up").values_list("attempt", flat=True)
    assert sorted(taken) == sorted(attempt.identity for attempt in attempts)


@several
@pytest.mark.django_db
@pytest.mark.parametrize("taken", [True, False], ids=["taken over", "only expired"])
def test_one_without_a_lease_commits_nothing(
    two: tuple[SteppedController, SteppedController], world: World, taken: bool
) -> None:
    first, second = two
    first.engine.lasting.add("predict")
    second.engine.lasting.add("predict")
    (attempt,), token = submit(world, 1), 1
    tick(first, until=lambda: Attempt.objects.filter(state="predict", fencing_token=token).exists())
    expire(first)
    if taken:
        tick(second, until=lambda: held_by(second))
    waiting = add_submission(world.rivals, world.carol, extra=b"waits")
    before = rows()
    late, own, deadline = timezone.now(), first.controller.lease, timezone.now()
    death = Death(WorkerEnd.LIMIT, "it crashed", Stage.PREDICT, Cause.PARTICIPANT)
    for write in (
        lambda: moves_made.begin(waiting.identity, State.BUILD, lease=own, engine="docker", deadline=deadline),
        lambda: moves_made.advance(
            attempt.identity, Stage.SCORE, lease=own, token=token, since=late, deadline=deadline
        ),
        lambda: moves_made.end(attempt.identity, SCORED, lease=own, token=token),
        lambda: moves_made.end(waiting.identity, SCORED, lease=own, token=0),
        lambda: moves_made.take_up(attempt.identity, lease=own, after_kill=False, deadline=deadline),
        lambda: worker_deaths.judge(attempt.identity, "w", death, lease=own, token=token),
    ):
        with pytest.raises(LeaseLostError):
            write()
        assert rows() == before
    first.controller._renewal.renewed = time.monotonic()  # as in the middle of a tick
    first.controller.tick()
    assert rows() == before
    assert first.controller.active_attempts == (0 if taken else 1)  # it has nothing to write before the next heartbeat


def rows() -> list[object]:
    return [*Attempt.objects.order_by("pk").values(), *Event.objects.values_list("kind", "attempt")]


@several
@pytest.mark.django_db
def test_one_that_wakes_up_begins_with_a_new_lease(
    two: tuple[SteppedController, SteppedController], world: World
) -> None:
    first, second = two
    for desk in two:
        desk.engine.lasting.add("predict")
    (attempt,) = submit(world, 1)
    tick(first, until=lambda: Attempt.objects.filter(state="predict").exists())
    before = first.controller.lease.id
    expire(first)
    tick(second, until=lambda: held_by(second))
    first.controller._renewal.renewed = -1e9
    first.controller.tick()
    assert first.controller.lease.id not in {"", before}
    assert (first.controller.active_attempts, held_by(second)) == (0, {attempt.identity})
    for desk in two:
        desk.engine.lasting.clear()
    tick(*two, until=all_scored)
    assert moves(attempt) == ["build", "predict", "score", "scored"]
    assert first.engine.ran.count("predict") == 1


@several
@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [timedelta(days=-2), timedelta(days=2)], ids=["back", "forward"])
def test_the_clock_of_a_machine_decides_nothing(
    two: tuple[SteppedController, SteppedController],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    ahead: timedelta,
) -> None:
    first, second = two
    first.engine.lasting.add("predict")
    submit(world, 1)
    tick(first, until=lambda: Attempt.objects.filter(state="predict").exists())
    true_time = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: true_time() + ahead)
    for desk in (second, first, second):
        desk.controller._renewal.renewed = -1e9
        desk.controller.tick()
    assert (first.controller.active_attempts, second.controller.active_attempts) == (1, 0)
    first.engine.lasting.clear()
    tick(*two, until=all_scored)
    assert not Event.objects.filter(kind="attempt.taken-up").exists()


@several
@pytest.mark.django_db
def test_no_lease_is_valid_for_long_after_the_clock_of_the_database_was_set_back(
    two: tuple[SteppedController, SteppedController], world: World
) -> None:
    first, second = two
    first.engine.lasting.add("predict")
    submit(world, 1)
    tick(first, until=lambda: Attempt.objects.filter(state="predict").exists())
    ControllerBeat.objects.update(expires=Now() + timedelta(seconds=2 * LEASE_S - 1))
    tick(second, until=lambda: second.controller.lease.id)
    for _ in range(20):
        second.controller.tick()
        time.sleep(0.05)
    assert held_by(second) == set()
    ControllerBeat.objects.filter(pk=first.controller.lease.id).update(expires=Now() + timedelta(hours=1))
    tick(second, until=lambda: held_by(second))


@several
@pytest.mark.django_db
def test_one_of_several_does_the_work_that_one_does_for_all(two: tuple[SteppedController, SteppedController]) -> None:
    for _ in range(2):
        for desk in two:
            desk.controller._renewal.renewed = -1e9
            desk.controller.tick()
    assert sorted(desk.controller.lease.leads for desk in two) == [False, True]
    assert [desk.controller.lease.controllers for desk in two] == [2, 2]
    leader, other = sorted(two, key=lambda desk: not desk.controller.lease.leads)
    leader.controller.let_go()
    other.controller._renewal.renewed = -1e9
    other.controller.tick()
    assert (other.controller.lease.leads, other.controller.lease.controllers) == (True, 1)


@several
@pytest.mark.django_db
def test_another_data_folder_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Folders(tmp_path / "other")
    with pytest.raises(PalioError, match="the files of the newest challenge are missing there") as caught:
        refuse_unshared(other)
    assert caught.value.failure.code == "data-not-shared"
    lease = Lease(settings.FOLDERS)
    lease.renew(**SHOWN)
    try:
        with pytest.raises(PalioError, match="the files of the controller here:1 are missing there"):
            Lease(other).renew(**SHOWN)
        with pytest.raises(PalioError, match="the files of the controller here:1 are missing there"):
            refuse_unshared(other)
        refuse_unshared(settings.FOLDERS)
    finally:
        lease.release()
    assert ControllerBeat.objects.count() == 1


@several
@pytest.mark.django_db
def test_rows_and_files_of_controllers_that_are_gone_do_not_pile_up(world: World) -> None:
    for _ in range(3):
        lease = Lease(settings.FOLDERS)
        lease.renew(**SHOWN)
        lease._forget()  # as the kernel closes it
    marks = settings.FOLDERS.root / "controllers"
    ControllerBeat.objects.update(time=timezone.now() - timedelta(days=8), expires=module.ENDED)
    last = Lease(settings.FOLDERS)
    last.renew(**SHOWN)
    assert [beat.pk for beat in ControllerBeat.objects.all()] == [last.id]
    assert last.id in {mark.name for mark in marks.iterdir()}
    assert len([*marks.iterdir()]) == 1
    last.release()
    assert [*marks.iterdir()] == []


# -- real controllers


def begin(folder: Path, *moments: Callable[[], None], slots: int = 3) -> int:
    """A controller with real workers and the fake engine."""
    engine = ProgrammedEngine(folder)

    def moment() -> None:
        worker.PROGRAM = program(folder)
        for each in moments:
            each()

    made = partial(Controller, engines=Engines(lambda _: (engine, ""), lambda _: None))
    return controller_processes.begin_life(moment, made, slots=slots, memory_gib=64.0, cpus=64.0)


def is_elsewhere() -> None:
    """As on another machine: whether its process lives cannot be seen."""
    module._machine = lambda: "another machine"


def holder() -> set[str]:
    return set(Attempt.objects.exclude(holder=None).values_list("holder__process", flat=True))


def is_held_by(child: int) -> bool:
    return {process.rpartition(":")[2] for process in holder()} == {str(child)}


def check_ran_once(folder: Path, attempts: list[Attempt]) -> None:
    for attempt in attempts:
        assert moves(attempt) == ["build", "predict", "score", "scored"]
    ran = ProgrammedEngine(folder).ran
    assert sorted(ran) == sorted(["build", "predict", "score-image", "score"] * len(attempts))
    assert Attempt.objects.count() == len(attempts)  # and so no retries


@several
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moments", [(), (is_elsewhere,)], ids=["here", "on another machine"])
def test_one_is_killed_and_another_takes_over(
    world: World, tmp_path: Path, moments: tuple[Callable[[], None], ...]
) -> None:
    folder = tmp_path / "engine"
    attempts = [add_submission(world.team, world.bob, extra=b"%d" % n, predict=please("last")) for n in range(2)]
    first = begin(folder, *moments)
    controller_processes.wait_until(lambda: Attempt.objects.filter(state="predict").count() == 2, first)
    second = begin(folder)
    controller_processes.wait_until(lambda: controller_processes.is_beating(second), second)
    assert is_held_by(first)
    killed = time.monotonic()
    controller_processes.kill(first)
    controller_processes.wait_until(lambda: is_held_by(second), second)
    assert time.monotonic() - killed < TAKEN_OVER_S
    (folder / GO_ON).touch()
    controller_processes.wait_until(controller_processes.all_have_ended, second)
    assert controller_processes.kill(second, signal.SIGTERM) == 0
    check_ran_once(folder, attempts)


@several
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_workers", [False, True], ids=["alone", "with its workers"])
def test_one_is_paused_past_its_lease_and_wakes_up(world: World, tmp_path: Path, with_workers: bool) -> None:
    folder = tmp_path / "engine"
    attempts = [add_submission(world.team, world.bob, extra=b"%d" % n, predict=please("last")) for n in range(2)]
    first = begin(folder)
    controller_processes.wait_until(lambda: Attempt.objects.filter(state="predict").count() == 2, first)
    second = begin(folder)
    controller_processes.wait_until(lambda: controller_processes.is_beating(second), second)
    paused = [first, *(children(first) if with_workers else [])]
    old_workers = children(first)
    assert len(old_workers) == 2
    for process in paused:
        os.kill(process, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        controller_processes.wait_until(lambda: is_held_by(second), second)
        assert time.monotonic() - stopped < TAKEN_OVER_S
        time.sleep(2)
        if not with_workers:
            assert [each for each in old_workers if is_working(each)] == []
        (folder / GO_ON).touch()
        if not with_workers:  # else the new workers wait for the old ones
            controller_processes.wait_until(controller_processes.all_have_ended, second)
    finally:
        for process in paused:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
    controller_processes.wait_until(controller_processes.all_have_ended, second)
    later = add_submission(world.rivals, world.carol)
    controller_processes.wait_until(controller_processes.all_have_ended, second)
    time.sleep(2)  # in which the first one could do harm
    assert [each for each in old_workers if is_working(each)] == []
    assert [controller_processes.kill(child, signal.SIGTERM) for child in (first, second)] == [0, 0]
    check_ran_once(folder, [*attempts, later])


@several
@pytest.mark.django_db(transaction=True)
def test_one_is_paused_in_the_middle_of_a_commit(world: World, tmp_path: Path) -> None:
    attempt = add_submission(world.team, world.bob)

    def pause() -> None:
        controller_processes.die = lambda: os.kill(os.getpid(), signal.SIGSTOP)
        controller_processes.at_move(attempt.identity, "end", "inside")()

    first = begin(tmp_path / "engine", pause)
    controller_processes.wait_until(lambda: state_of(first) == "T", first)
    second = begin(tmp_path / "engine")
    stopped = time.monotonic()
    try:
        controller_processes.wait_until(controller_processes.all_have_ended, second)
        assert time.monotonic() - stopped < TAKEN_OVER_S
    finally:
        os.kill(first, signal.SIGCONT)
    awake = ControllerBeat.objects.filter(process__endswith=f":{first}")
    controller_processes.wait_until(lambda: awake.count() == 2, first)  # with a new lease
    assert [controller_processes.kill(child, signal.SIGTERM) for child in (first, second)] == [0, 0]
    check_ran_once(tmp_path / "engine", [attempt])


@several
@pytest.mark.django_db(transaction=True)
def test_two_share_a_queue(world: World, tmp_path: Path) -> None:
    attempts = submit(world, 10)
    both = [begin(tmp_path / "engine", slots=2) for _ in range(2)]
    controller_processes.wait_until(controller_processes.all_have_ended, both[0])
    assert [controller_processes.kill(child, signal.SIGTERM) for child in both] == [0, 0]
    check_ran_once(tmp_path / "engine", attempts)
    assert not Event.objects.filter(kind="attempt.taken-up").exists()


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(each) for each in text.split()]


def is_working(process: int) -> bool:
    return state_of(process) not in {"", "Z"}


def state_of(process: int) -> str:
    """As the kernel has it; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="with PostgreSQL, time decides instead of a lock")
@pytest.mark.django_db
def test_lease_with_sqlite_never_expires_and_ends_the_ones_before(world: World) -> None:
    first, second = Lease(settings.FOLDERS), Lease(settings.FOLDERS)
    first.renew(**SHOWN)
    first.renew(**SHOWN)
    second.renew(**SHOWN)
    with pytest.raises(LeaseLostError):
        first.renew(**SHOWN)
    second.release()


@pytest.mark.django_db
def test_lost_lease_counted(world: World, make_controller: Callable[..., SteppedController]) -> None:
    stepped = make_controller()
    stepped.controller.tick()
    assert losses() == (0.0, 0.0)
    add_submission(world.team, world.bob)
    stepped.run_until(lambda: stepped.controller.active_attempts == 1)
    ControllerBeat.objects.update(expires=module.ENDED)
    stepped.controller._renewal.renewed = float("-inf")  # the next heartbeat is due
    stepped.controller.tick()
    assert losses() == (1.0, 1.0)
    stepped.finish()
    assert losses() == (1.0, 1.0)


def losses() -> tuple[float, float]:
    """Leases and attempts, as /metrics has them."""
    found = {metric.name: metric.samples[0].value for metric in PlatformCollector().collect() if metric.samples}
    return found["palio_leases_lost"], found["palio_attempts_lost"]
