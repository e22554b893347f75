"""Attempts that are cancelled, overdue or cannot be stopped."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from tests.bundles import YAML, write_bundle
from tests.web.controller.programmed_engine import score
from tests.web.controller.stepped_controller import SteppedController, add_submission, latest, moves
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.attempt.waiting import read_waiting
from palio.core.engine import Job, Waiting
from palio.web.controller import active_attempt
from palio.web.models import Attempt, Event
from palio.web.verbs.submit import cancel

pytestmark = pytest.mark.django_db


def test_cancelled_while_queued(stepped: SteppedController, world: World) -> None:
    attempt = add_submission(world.team, world.bob)
    Attempt.objects.update(cancel_requested=timezone.now())
    stepped.controller.tick()
    attempt.refresh_from_db()
    assert (attempt.state, moves(attempt), attempt.started) == ("cancelled", ["cancelled"], None)


@pytest.mark.parametrize("stage", ["build", "predict", "score"])
def test_cancelled_while_running(stepped: SteppedController, world: World, stage: str) -> None:
    stepped.engine.lasting.add(stage)
    attempt = add_submission(world.team, world.bob)
    stepped.run_until(lambda: latest(attempt.submission).state == stage)
    Attempt.objects.update(cancel_requested=timezone.now())
    stepped.run_until(lambda: latest(attempt.submission).state == "cancelled")
    attempt.submission.refresh_from_db()
    assert (attempt.submission.charged, attempt.submission.counted) == (False, None)
    assert stepped.engine.left == []
    assert not (settings.FOLDERS.runs / attempt.identity / ".work").exists()


@pytest.mark.parametrize(("logs", "charged"), [("tail", True), ("none", False)])
def test_cancelled_with_hidden_log_shown_counts(
    stepped: SteppedController, world: World, tmp_path: Path, logs: str, charged: bool
) -> None:
    text = YAML.replace("palio:\n", f"palio:\n  logs: {{predict: {logs}}}\n")
    publish(world.challenge, write_bundle(tmp_path / "bundle", yaml=text))
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict")
    cancel(submission, world.bob, counts=True)
    stepped.run_until(lambda: latest(submission).state == "cancelled")
    submission.refresh_from_db()
    assert (submission.charged, submission.counted) == (charged, None)
    event = Event.objects.filter(submission=submission, kind="attempt.moved").latest("id")
    assert (event.detail["new"], event.detail["charged"]) == ("cancelled", charged)


def test_overdue_stage_retried(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict")
    deadline = latest(submission).deadline
    assert deadline is not None
    assert timedelta(minutes=5) < deadline - timezone.now() < timedelta(minutes=6)
    stepped.ahead_s = timedelta(minutes=6).total_seconds()
    stepped.run_until(lambda: latest(submission).number == 2)
    first = submission.attempts.get(number=1)
    assert (first.failure_code, first.failure_cause, submission.charged) == ("stage-overdue", "platform", False)
    assert first.failure is not None
    assert first.failure["stage"] == "predict"
    assert stepped.engine.left == []


def test_stage_that_waits_for_quota_is_not_overdue(stepped: SteppedController, world: World) -> None:
    """However long it waits; once it has begun, it has the time of a stage."""
    stepped.engine.lasting.add("predict")
    stepped.engine.held.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict")
    root = settings.FOLDERS.runs / latest(submission).identity
    stepped.run_until(lambda: read_waiting(root) == Waiting(2))
    for _ in range(3):
        stepped.ahead_s += timedelta(hours=5).total_seconds()
        stepped.controller.tick()
    stepped.engine.held.clear()
    stepped.run_until(lambda: read_waiting(root) is None)
    for _ in range(5):
        stepped.controller.tick()
    assert (latest(submission).state, latest(submission).number) == ("predict", 1)
    stepped.ahead_s += timedelta(minutes=6).total_seconds()
    stepped.run_until(lambda: latest(submission).number == 2)
    assert submission.attempts.get(number=1).failure_code == "stage-overdue"


@pytest.mark.parametrize("shift", [timedelta(hours=1), timedelta(hours=-1)])
def test_clock_changed(
    stepped: SteppedController, world: World, monkeypatch: pytest.MonkeyPatch, shift: timedelta
) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict")
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + shift)
    waits = add_submission(world.rivals, world.carol).submission
    waits.attempts.update(not_before=now(), created=now())
    for _ in range(10):
        stepped.controller.tick()
    assert (latest(submission).state, latest(waits).state != "queued") == ("predict", True)
    stepped.ahead_s = timedelta(minutes=6).total_seconds()
    stepped.run_until(lambda: submission.attempts.count() == 2)
    assert submission.attempts.get(number=1).failure_code == "stage-overdue"


def test_unstoppable_job_attempt_ends(
    stepped: SteppedController, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker waits for something that never comes; its slot is not lost."""
    monkeypatch.setattr(active_attempt, "UNANSWERED_S", 0.1)
    hangs = threading.Event()

    def hang(job: Job, output: Path) -> None:
        hangs.wait()

    stepped.engine.programs = {"predict": hang, "score": score}
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict" and "start predict" in stepped.engine.calls)
    stepped.ahead_s = timedelta(minutes=6).total_seconds()
    stepped.run_until(lambda: latest(submission).number == 2)
    stepped.ahead_s = 0
    assert stepped.controller.active_attempts == 0
    assert submission.attempts.get(number=1).failure_code == "stage-overdue"
    hangs.set()
    stepped.run_until(lambda: not any(worker.is_running for worker in stepped.workers.made[:2]))
