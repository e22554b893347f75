"""Whatever happens in whatever order: only legal moves, one result for each attempt, and everything comes to an end."""

import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.web.controller.programmed_engine import exits, fault, predict, score
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.world import World

from palio.core.attempt.states import ENDS, State, may_move
from palio.web.models import Attempt, Event, Submission

HAPPENINGS = [
    *("submit", "predictions", "tick", "tick", "tick", "kill", "stop", "cancel", "overdue", "hurry"),
    *("fault", "bug", "exit", "lasting", "recover", "away", "back"),
]


class UndoError(Exception):
    """Ends an example; the database is as it was before it."""


@pytest.mark.django_db
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(st.sampled_from(HAPPENINGS), min_size=4, max_size=25))
def test_interleavings_legal_moves_one_result(world: World, happenings: list[str]) -> None:
    try:
        with tempfile.TemporaryDirectory() as home, transaction.atomic():
            stepped = SteppedController(Path(home))
            try:
                for number, happening in enumerate(["submit", *happenings]):
                    happen(stepped, world, happening, number)
                bring_to_its_end(stepped)
                check(stepped)
            finally:
                stepped.close()
            raise UndoError
    except UndoError:
        pass


def happen(stepped: SteppedController, world: World, happening: str, number: int) -> None:
    engine, unended = stepped.engine, Attempt.objects.exclude(state__in=[*ENDS])
    match happening:
        case "submit":
            add_submission(world.team, world.bob, extra=str(number).encode())
        case "predictions":
            add_submission(world.rivals, world.carol, kind="results")
        case "kill":
            stepped.kill()
        case "stop":
            stepped.controller.let_go()
            stepped.controller = stepped.new_controller()
        case "cancel":
            unended.update(cancel_requested=timezone.now())
        case "fault":
            engine.faults["score"] = fault()
        case "bug":
            engine.faults["predict"] = RuntimeError("a bug")
        case "exit":
            engine.programs = {"predict": exits, "score": score}
        case "recover":
            repair(stepped)
        case "overdue":
            stepped.ahead_s += 400
        case "away":
            engine.away = True
        case "back":
            engine.away = False
        case "hurry":
            unended.update(not_before=timezone.now())
        case "lasting":
            engine.lasting.add("predict")
    for _ in range(3):
        stepped.controller.tick()
        stepped.controller.changed.wait(0.01)


def repair(stepped: SteppedController) -> None:
    stepped.engine.faults.clear()
    stepped.engine.lasting.clear()
    stepped.engine.programs = {"predict": predict, "score": score}


def bring_to_its_end(stepped: SteppedController) -> None:
    repair(stepped)
    stepped.engine.away = False
    stepped.controller.watch.look()

    def all_ended() -> bool:
        Attempt.objects.filter(state=State.QUEUED).update(not_before=timezone.now())
        return not Attempt.objects.exclude(state__in=[*ENDS]).exists()

    stepped.run_until(all_ended)
    stepped.kill()  # which tidies
    stepped.run_until(lambda: stepped.engine.left == [])


def check(stepped: SteppedController) -> None:
    for attempt in Attempt.objects.all():
        events = [e for e in Event.objects.filter(attempt=attempt.identity) if e.kind == "attempt.moved"]
        way = [State.QUEUED, *(State(event.detail["new"]) for event in events if event.detail.get("old"))]
        assert all(may_move(old, new) for old, new in pairwise(way)), way
        assert way[-1] == attempt.state
        assert Counter(state for state in way if state in ENDS).total() == 1
        assert (attempt.failure is not None) == (attempt.state == State.FAILED)
    for submission in Submission.objects.all():
        attempts = list(submission.attempts.order_by("number"))
        scored = [attempt for attempt in attempts if attempt.state == State.SCORED]
        assert len(attempts) <= 4
        assert len(scored) <= 1
        assert submission.counted == (scored[0] if scored else None)
        own_fault = attempts[-1].failure is not None and attempts[-1].failure["charged"]
        assert submission.charged == bool(scored or own_fault)
        assert all(attempt.failure_cause == "platform" for attempt in attempts[:-1])
