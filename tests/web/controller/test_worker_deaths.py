"""Workers that end without a result: who continues, who is to blame, and who is not."""

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.web.controller.stepped_controller import SteppedController, add_submission, states
from tests.web.controller.thread_workers import ThreadWorker
from tests.web.world import World

from palio.core.attempt.run_folder import RunFolder
from palio.core.errors import Cause
from palio.web.controller.worker import Death, WorkerEnd
from palio.web.models import Attempt, Submission

pytestmark = pytest.mark.django_db

USED_UP = Death(WorkerEnd.LIMIT, "it used more than 180 s of CPU time in one step", None, Cause.ORGANIZER)
SHOT = Death(WorkerEnd.KILLED, "it was killed by SIGKILL", None, Cause.ORGANIZER)
BUGGY = Death(WorkerEnd.BROKEN, "it ended with exit code 1", None, Cause.ORGANIZER)


def attempt_of(submission: Submission, number: int = 1) -> Attempt:
    submission.refresh_from_db()
    return submission.attempts.get(number=number)


def worker_at(stepped: SteppedController, submission: Submission, stage: str) -> ThreadWorker:
    """The one that evaluates it, once its job of this stage runs."""
    identity = attempt_of(submission).identity

    def found() -> bool:
        worker = newest(stepped, identity)
        return worker is not None and worker.is_alive and stepped.engine.polls(f"palio-{identity}-{stage}")

    stepped.run_until(found)
    worker = newest(stepped, identity)
    assert worker is not None
    return worker


def newest(stepped: SteppedController, identity: str) -> ThreadWorker | None:
    return next((worker for worker in reversed(stepped.workers.made) if worker.identity == identity), None)


def die(stepped: SteppedController, submission: Submission, stage: str, death: Death) -> None:
    worker = worker_at(stepped, submission, stage)
    worker.kill(death)
    stepped.engine.looked_at.clear()
    stepped.controller.tick()


@pytest.mark.parametrize(
    ("stage", "code", "cause", "charged"),
    [
        ("build", "submission-over-limits", "participant", False),
        ("predict", "submission-over-limits", "participant", True),
        ("score-image", "challenge-over-limits", "organizer", False),
        ("score", "challenge-over-limits", "organizer", False),
    ],
)
def test_second_excess_ends_attempt(
    stepped: SteppedController, world: World, stage: str, code: str, cause: str, charged: bool
) -> None:
    stepped.engine.lasting.add(stage)
    submission = add_submission(world.team, world.bob).submission
    die(stepped, submission, stage, USED_UP)
    assert attempt_of(submission).failure_code == ""
    die(stepped, submission, stage, USED_UP)
    stepped.engine.lasting.clear()
    stepped.finish()
    attempt = attempt_of(submission)
    assert (attempt.state, attempt.failure_code, attempt.failure_cause) == ("failed", code, cause)
    assert (states(submission), submission.charged) == (["failed"], charged)
    assert attempt.failure is not None
    assert USED_UP.clause in attempt.failure["message"]
    written = RunFolder(stepped.controller._folders.runs / attempt.identity).read_json("result.json")
    assert written["failure"]["code"] == code
    assert stepped.engine.left == []


def test_single_excess_evaluated(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    die(stepped, submission, "predict", USED_UP)
    stepped.engine.lasting.clear()
    stepped.finish()
    assert states(submission) == ["scored"]
    assert stepped.engine.ran == ["build", "predict", "score-image", "score"]


def test_other_attempts_not_counted(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    guilty = add_submission(world.team, world.bob).submission
    other = add_submission(world.rivals, world.carol, extra=b"o").submission
    for _ in range(2):
        die(stepped, guilty, "predict", USED_UP)
    stepped.run_until(lambda: attempt_of(guilty).state == "failed")
    stepped.engine.lasting.clear()
    stepped.finish()
    assert states(other) == ["scored"]
    assert sum(worker.identity == attempt_of(other).identity for worker in stepped.workers.made) == 1


def test_four_kills_evaluated(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    for _ in range(4):
        die(stepped, submission, "predict", SHOT)
    stepped.engine.lasting.clear()
    stepped.finish()
    assert states(submission) == ["scored"]
    assert stepped.engine.ran == ["build", "predict", "score-image", "score"]


def test_repeated_kills_platform_fault(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: attempt_of(submission).state == "predict")
    submission.attempts.update(moved=timezone.now() + timedelta(hours=2))  # the clock was set back since
    for _ in range(5):
        die(stepped, submission, "predict", SHOT)
    stepped.run_until(lambda: attempt_of(submission).state == "failed")
    attempt = attempt_of(submission)
    assert (attempt.failure_code, attempt.failure_cause, submission.charged) == ("evaluation-killed", "platform", False)
    assert states(submission) == ["failed", "queued"]


def test_worker_bug_platform_fault(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    die(stepped, submission, "predict", BUGGY)
    stepped.run_until(lambda: attempt_of(submission).state == "failed")
    assert (attempt_of(submission).failure_code, states(submission)) == ("evaluation-broken", ["failed", "queued"])
