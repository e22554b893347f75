"""Real worker processes: what they may do to their attempt, and not to anything else."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from tests.web.controller.misbehaving_worker import please, workers
from tests.web.controller.stepped_controller import SteppedController, add_submission, states
from tests.web.serving.running import is_running
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Attempt, Event, Submission

pytestmark = pytest.mark.django_db


class ProcessDesk(SteppedController):
    """Its workers are processes, on the fake engine."""

    def new_workers(self) -> Any:
        return workers(self.engine.folder)

    def close(self) -> None:
        self.controller.let_go()
        for held in self.controller._active.values():
            held.worker.kill()
            held.worker.join(10)

    def worker_of(self, submission: Submission) -> Any:
        """The worker, once its job `predict` has been asked for."""
        identity = submission.attempts.latest("number").identity
        noted = self.engine.folder / f"palio-{identity}-predict.pid"
        self.run_until(lambda: noted.exists() and noted.read_text())
        return self.controller._active[identity].worker


@pytest.fixture
def stepped(world: World, tmp_path: Path) -> Iterator[ProcessDesk]:
    made = ProcessDesk(tmp_path)
    yield made
    made.close()


def last(submission: Submission) -> Attempt:
    submission.refresh_from_db()
    return submission.attempts.latest("number")


def test_attempt_in_own_process(stepped: ProcessDesk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_SECRET", "s" * 60)
    submission = add_submission(world.team, world.bob).submission
    predictions = add_submission(world.rivals, world.carol, kind="results").submission
    stepped.finish()
    assert (last(submission).state, last(submission).scores) == ("scored", {"accuracy": 1.0})
    assert states(predictions) == ["scored"]
    (noted,) = stepped.engine.folder.glob("*.pid")
    process, has_secret = noted.read_text().split()
    assert (int(process) != os.getpid(), has_secret) == (True, "False")
    assert not is_running(int(process))


@pytest.mark.parametrize(
    ("wish", "says"),
    [("hang", "CPU time"), ("eat", "of memory"), ("crash", "crashed (SIGSEGV)")],
)
def test_reader_crash_ends_attempt(stepped: ProcessDesk, world: World, wish: str, says: str) -> None:
    guilty = add_submission(world.team, world.bob, predict=please(wish)).submission
    other = add_submission(world.rivals, world.carol, predict=please("slow")).submission
    stepped.finish()
    attempt = last(guilty)
    assert (attempt.failure_code, attempt.failure_cause) == ("submission-over-limits", "participant")
    assert (states(guilty), guilty.charged) == (["failed"], True)
    assert attempt.failure is not None
    assert says in attempt.failure["message"]
    assert Event.objects.filter(attempt=attempt.identity, kind="attempt.worker-ended").count() == 2
    assert states(other) == ["scored"]
    assert not Event.objects.filter(submission=other, kind="attempt.worker-ended").exists()


@pytest.mark.parametrize("wish", ["garbage", "flood", "deep", "leave"])
def test_worker_invalid_message(stepped: ProcessDesk, world: World, wish: str) -> None:
    guilty = add_submission(world.team, world.bob, predict=please(wish)).submission
    other = add_submission(world.rivals, world.carol).submission
    stepped.run_until(lambda: guilty.attempts.count() == 2 and last(other).state == State.SCORED)
    first = guilty.attempts.get(number=1)
    assert (first.failure_code, first.failure_cause, guilty.charged) == ("evaluation-broken", "platform", False)


def test_worker_stdout_ignored(stepped: ProcessDesk, world: World) -> None:
    submission = add_submission(world.team, world.bob, predict=please("print")).submission
    stepped.finish()
    assert states(submission) == ["scored"]


def test_overdue_worker_killed(stepped: ProcessDesk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.web.controller.active_attempt.UNANSWERED_S", 8.0)
    submission = add_submission(world.team, world.bob, predict=please("sleep")).submission
    worker = stepped.worker_of(submission)
    stepped.ahead_s = 360
    stepped.run_until(lambda: submission.attempts.count() == 2)
    first = submission.attempts.get(number=1)
    assert (first.failure_code, is_running(worker.process)) == ("stage-overdue", False)
    assert not (settings.FOLDERS.runs / first.identity / ".work").exists()


def test_killed_worker_replaced(stepped: ProcessDesk, world: World) -> None:
    stepped.engine.lasting.add("nothing")
    submission = add_submission(world.team, world.bob).submission
    identity = last(submission).identity
    killed = 0
    while killed < 4 and last(submission).state != State.SCORED:
        stepped.controller.tick()
        held = stepped.controller._active.get(identity)
        worker: Any = held.worker if held is not None else None
        if worker is not None and worker.is_alive:
            time.sleep(0.3 + 0.2 * killed)  # at some moment of its life
            worker.kill()
            killed += 1
            worker.join(10)
    stepped.finish()
    assert states(submission) == ["scored"]
    assert sorted(stepped.engine.ran) == sorted(set(stepped.engine.ran))


def test_next_worker_waits_for_last(stepped: ProcessDesk, world: World) -> None:
    attempt = add_submission(world.team, world.bob)
    folder = settings.FOLDERS.runs / attempt.identity
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        stepped.run_until(lambda: stepped.controller.active_attempts == 1)
        time.sleep(2)
        stepped.controller.tick()
        assert list(folder.iterdir()) == []
    finally:
        os.close(descriptor)
    stepped.finish()
    assert states(attempt.submission) == ["scored"]


START = """
import sys, time
from pathlib import Path
from tests.web.controller.misbehaving_worker import start_one
print(start_one(Path(sys.argv[1]), sys.argv[2] == "thread"), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("when", ["thread", "at once"])
def test_workers_end_with_controller(tmp_path: Path, when: str) -> None:
    command = [sys.executable, "-c", START, str(tmp_path), when]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
