"""Attempts whose engine is away for a while."""

import pytest
from django.conf import settings
from django.utils import timezone
from tests.web.controller.stepped_controller import SteppedController, add_submission, latest, states
from tests.web.world import World

from palio.web.models import Attempt, ControllerBeat

pytestmark = pytest.mark.django_db


def test_queue_waits_without_engine(stepped: SteppedController, world: World) -> None:
    stepped.engine.away = True
    stepped.controller = stepped.new_controller()
    attempt = add_submission(world.team, world.bob)
    stepped.controller.tick()
    attempt.refresh_from_db()
    assert attempt.state == "queued"
    assert "nobody is there" in ControllerBeat.objects.get().trouble
    stepped.engine.away = False
    stepped.controller.watch.look()
    stepped.finish()
    attempt.refresh_from_db()
    assert (attempt.state, ControllerBeat.objects.get().trouble) == ("scored", "")


def test_queue_waits_for_lost_engine(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict")
    stepped.engine.away = True
    stepped.controller.watch.look()
    stepped.controller.tick()
    assert ControllerBeat.objects.get().trouble == "Nobody is there. Start it."
    for _ in range(20):
        stepped.controller.tick()
    assert latest(submission).state == "predict"
    stepped.engine.away, stepped.engine.lasting = False, set()
    stepped.finish()
    assert states(submission) == ["scored"]
    assert stepped.engine.ran.count("predict") == 1


def test_image_rebuilt_after_engine_outage(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("build")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: "start build" in stepped.engine.calls)
    stepped.engine.away = True
    for _ in range(20):
        stepped.controller.tick()
    stepped.engine.away, stepped.engine.lasting = False, set()
    stepped.finish()
    assert states(submission) == ["scored"]


def test_cancelled_during_engine_outage_cleaned_up(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    attempt = add_submission(world.team, world.bob)
    stepped.run_until(lambda: latest(attempt.submission).state == "predict")
    stepped.engine.away = True
    Attempt.objects.update(cancel_requested=timezone.now())
    stepped.run_until(lambda: latest(attempt.submission).state == "cancelled")
    work = settings.FOLDERS.runs / attempt.identity / ".work"
    assert (stepped.engine.left != [], work.exists()) == (True, True)
    stepped.engine.away = False
    stepped.kill()
    stepped.run_until(lambda: not work.exists())
    assert stepped.engine.left == []
