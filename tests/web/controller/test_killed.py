"""Real controllers that are killed at every step of real evaluations, on each engine; and what becomes of these."""

import os
import random
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from tests.bundles import YAML, write_bundle
from tests.submissions.arena import left_over
from tests.web.controller import controller_processes
from tests.web.controller.stepped_controller import add_submission
from tests.web.world import World

from palio.core.attempt.states import ENDS, State, may_move
from palio.web.models import Attempt, Event, Submission
from palio.web.verbs.rerun import rerun

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = "import time\ntime.sleep(0.2)\n"
EXITS = "import sys\nsys.exit(3)\n"  # on the public case, of which there is one, and so before hidden data is touched
EXITS_ON_HIDDEN = 'import os, sys\nif len(os.listdir(os.environ["PALIO_INPUT"])) > 1:\n    sys.exit(3)\n'
MOVES = [
    *((move, when, 1) for move in ("begin", "advance", "end") for when in ("before", "inside", "after")),
    *(("advance", when, number) for number in (2, 3) for when in ("before", "inside", "after")),
]
NOTES = [("note_start", number) for number in (1, 2, 3, 4)] + [("note_end", number) for number in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With public cases, so that every stage that there is comes in an evaluation."""
    folder = tmp_path_factory.mktemp("bundle") / "vowels"
    write_bundle(folder, yaml=f"{YAML}  sample: {{input: sample_data/}}\n")
    (folder / "sample_data").mkdir()
    (folder / "sample_data/four.txt").write_text("apple")
    return folder


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return str(request.param)


def test_killed_at_every_step(engine: str, world: World) -> None:
    """Each life ends at its moment of its own submission, while those of the lives before it are gone on with."""
    configured: dict[str, Any] = {
        "engine": engine,
        "slots": 3,
        "anyone_on_bubblewrap": True,
        "memory_gib": 64.0,
        "cpus": 64.0,
    }
    chance, count = random.Random(5), iter(range(100))

    def submit(predict: str = "", dockerfile: str = "") -> Attempt:
        return add_submission(
            world.team, world.bob, extra=str(next(count)).encode(), predict=predict, dockerfile=dockerfile
        )

    def live(moment: Callable[[str], controller_processes.Moment], attempt: Attempt) -> None:
        child = controller_processes.begin_life(moment(attempt.identity), **configured)
        assert controller_processes.wait_for_death(child) == -signal.SIGKILL

    begin = time.monotonic()
    submit()
    controller_processes.live_until(controller_processes.all_have_ended, **configured)
    usual_s = time.monotonic() - begin
    for move, when, number in MOVES[engine == "docker" :: 2]:  # every other one, as below
        live(lambda identity: controller_processes.at_move(identity, move, when, number), submit())  # noqa: B023
    for note, number in NOTES[engine == "docker" :: 2]:
        live(lambda identity: controller_processes.at_note(identity, note, number), submit())  # noqa: B023
    live(controller_processes.at_verdict, submit())
    own_faults = []
    for moment in (
        lambda identity: controller_processes.at_move(identity, "end", "inside"),
        controller_processes.at_verdict,
    ):
        own_faults.append(submit(predict=EXITS_ON_HIDDEN))
        live(moment, own_faults[-1])
    exits = submit(predict=EXITS)
    live(lambda identity: controller_processes.at_move(identity, "end", "before"), exits)
    unbuilt = submit(dockerfile="FROM python:3.11-slim\nCOPY nothing /\n")
    live(lambda identity: controller_processes.at_move(identity, "end", "before"), unbuilt)
    for _ in range(3):
        submit(predict=SLOW)
        child = controller_processes.begin_life(**configured)
        time.sleep(chance.uniform(0.1, usual_s))
        assert controller_processes.kill(child) == -signal.SIGKILL
    controller_processes.live_until(controller_processes.all_have_ended, **configured)
    for attempt in Attempt.objects.all():
        check_way(attempt)
    assert way_of(Attempt.objects.order_by("created")[0]) == ["queued", "build", "sample", "predict", "score", "scored"]
    expected = {each.submission_id: ("failed", "predict-exit", True, False) for each in own_faults}
    expected[unbuilt.submission_id] = ("failed", "build-failed", False, False)
    expected[exits.submission_id] = ("failed", "predict-exit", False, False)
    for submission in Submission.objects.all():
        attempt, *others = submission.attempts.order_by("number")
        assert not others, str(attempt.failure)  # no fault of the platform's, and so no other attempt
        found = (attempt.state, attempt.failure_code, submission.charged, submission.counted == attempt)
        assert found == expected.get(submission.id, ("scored", "", True, True)), lives_of(attempt)
        assert attempt.scores == ({"accuracy": 1.0} if attempt.state == State.SCORED else None)
    check_nothing_left()


def lives_of(attempt: Attempt) -> list[object]:
    return list(Event.objects.filter(attempt=attempt.identity).values_list("kind", "detail"))


def way_of(attempt: Attempt) -> list[State]:
    events = Event.objects.filter(attempt=attempt.identity, kind="attempt.moved")
    return [State.QUEUED, *(State(event.detail["new"]) for event in events if event.detail.get("old"))]


def check_way(attempt: Attempt) -> None:
    way = way_of(attempt)
    assert all(may_move(old, new) for old, new in pairwise(way)), way
    assert sum(state in ENDS for state in way) == 1
    assert way[-1] == attempt.state


def check_nothing_left() -> None:
    identities = list(Attempt.objects.values_list("identity", flat=True))
    assert left_over(identities) == []
    for identity in identities:
        run = settings.FOLDERS.runs / identity
        assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []
        assert (run / "result.json").is_file()


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="with PostgreSQL there can be several, see test_lease")
def test_second_controller_refused(world: World) -> None:
    first = controller_processes.begin_life()
    controller_processes.wait_until(lambda: controller_processes.is_beating(first), first)
    assert controller_processes.wait_for_death(controller_processes.begin_life()) == 1
    assert controller_processes.kill(first, signal.SIGTERM) == 0


@pytest.mark.bubblewrap
def test_rerun_after_kill_separate(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    configured: dict[str, Any] = {"engine": "bubblewrap", "anyone_on_bubblewrap": True}
    first = add_submission(world.team, world.bob, predict=SLOW)
    child = controller_processes.begin_life(controller_processes.at_move(first.identity, "end", "after"), **configured)
    assert controller_processes.wait_for_death(child) == -signal.SIGKILL
    second = rerun(first.submission, world.alice)
    controller_processes.live_until(controller_processes.all_have_ended, **configured)
    submission = Submission.objects.get()
    assert [each.state for each in submission.attempts.order_by("number")] == ["scored", "scored"]
    assert submission.counted == second
    check_nothing_left()
