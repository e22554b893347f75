"""Public cases run a second time while the platform is idle; an attempt never waits for that."""

from pathlib import Path

import pytest
from django.conf import settings
from tests.bundles import YAML, answers, write_bundle
from tests.fakes import ended
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.programmed_engine import fault, predict, score
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.engine import Job
from palio.web.models import Attempt, SampleRepeat
from palio.web.queries.sample_repeats import not_deterministic

pytestmark = pytest.mark.django_db
SAMPLE = "  sample: {input: sample_data}\n"


def by_chance(job: Job, output: Path) -> None:
    """Other answers in each run: the first and the second."""
    first = not list(output.parent.parent.glob("ran-*"))
    (output.parent.parent / f"ran-{job.name}").touch()
    names = sorted(path.name for path in job.mounts[0].source.iterdir())
    given = dict.fromkeys(names, "yes") if first else {name: "no" if name == names[0] else "yes" for name in names}
    (output / "answers.csv").write_text(answers(given))


def open_challenge(world: World, folder: Path, sample: str = SAMPLE) -> None:
    bundle = write_bundle(folder, yaml=YAML + sample)
    for name in ("four.txt", "five.txt", "six.txt"):
        place = bundle / "sample_data" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text("plum")
    publish(world.challenge, bundle)
    world.team.challenge.refresh_from_db()


def run_again(stepped: SteppedController) -> SampleRepeat:
    stepped.ahead_s += 20.0
    stepped.run_until(lambda: SampleRepeat.objects.exclude(finished=None).exists())
    return SampleRepeat.objects.get()


@pytest.fixture
def desk(make_controller: MakeDesk, world: World, tmp_path: Path) -> SteppedController:
    open_challenge(world, tmp_path / "bundle")
    stepped = make_controller()
    stepped.engine.programs = {"sample": predict, "predict": predict, "score": score}
    return stepped


def starts(stepped: SteppedController) -> list[str]:
    return [call.removeprefix("start ") for call in stepped.engine.calls if call.startswith("start")]


def test_equal_predictions_not_flagged_and_run_twice_only(desk: SteppedController, world: World) -> None:
    attempt = add_submission(world.team, world.bob)
    desk.finish()
    assert starts(desk).count("sample") == 1  # the result does not wait for the second
    row = run_again(desk)
    assert (row.attempt_id, row.found) == (attempt.identity, {"files": 1, "differing": 0, "differences": []})
    assert starts(desk).count("sample") == 2
    assert starts(desk).count("predict") == 1
    assert not_deterministic(world.challenge) == []
    assert not (settings.FOLDERS.runs / row.identity).exists()
    assert desk.engine.left == []
    again = add_submission(world.team, world.bob)  # the same file
    desk.finish()
    desk.ahead_s += 20.0
    for _ in range(5):
        desk.controller.tick()
    assert starts(desk).count("sample") == 3
    assert not SampleRepeat.objects.filter(attempt=again).exists()


def test_different_predictions_flagged(desk: SteppedController, world: World) -> None:
    desk.engine.programs = {**desk.engine.programs, "sample": by_chance}
    attempt = add_submission(world.team, world.bob)
    desk.finish()
    run_again(desk)
    (flag,) = not_deterministic(world.challenge)
    assert (flag.submission, flag.team, flag.phase) == (attempt.submission_id, world.team.name, "Final")
    assert (flag.files, flag.differing) == (1, 1)
    assert flag.sentences == ["answers.csv: 1 of 3 rows differ."]


def test_failure_of_second_run_only_flagged(desk: SteppedController, world: World) -> None:
    add_submission(world.team, world.bob)
    desk.finish()
    desk.engine.programs = {**desk.engine.programs, "sample": lambda job, output: ended(exit_code=3)}
    run_again(desk)
    (flag,) = not_deterministic(world.challenge)
    assert flag.files == 0
    assert flag.sentences[0].startswith("Only the second run failed: ")


def test_no_second_run_where_bundle_says_so(make_controller: MakeDesk, world: World, tmp_path: Path) -> None:
    open_challenge(world, tmp_path / "bundle", "  sample: {input: sample_data, twice: false}\n")
    stepped = make_controller()
    stepped.engine.programs = {"sample": predict, "predict": predict, "score": score}
    add_submission(world.team, world.bob)
    stepped.finish()
    stepped.ahead_s += 20.0
    for _ in range(5):
        stepped.controller.tick()
    assert not SampleRepeat.objects.exists()


def test_second_run_makes_room_for_attempt(desk: SteppedController, world: World) -> None:
    first = add_submission(world.team, world.bob)
    desk.finish()
    desk.engine.lasting.add("sample")
    desk.ahead_s += 20.0
    desk.run_until(lambda: starts(desk).count("sample") == 2)
    name = SampleRepeat.objects.get().identity
    desk.engine.lasting.clear()
    desk.engine.lasting.add("build")  # of the next attempt
    second = add_submission(world.team, world.bob, extra=b"1")
    desk.run_until(lambda: Attempt.objects.get(pk=second.pk).state == "build")
    assert desk.engine.left == [f"palio-{second.identity}-build"] or not any(name in each for each in desk.engine.left)
    row = SampleRepeat.objects.get()
    assert (row.attempt_id, row.finished) == (first.identity, None)
    assert row.identity != name
    desk.engine.lasting.clear()
    desk.finish()
    assert run_again(desk).attempt_id == first.identity


def test_interrupted_second_run_continues(desk: SteppedController, world: World) -> None:
    add_submission(world.team, world.bob)
    desk.finish()
    desk.engine.lasting.add("sample")
    desk.ahead_s += 20.0
    desk.run_until(lambda: starts(desk).count("sample") == 2)
    name = SampleRepeat.objects.get().identity
    desk.kill()
    desk.engine.lasting.clear()
    row = run_again(desk)
    assert (row.identity, row.found["differing"]) == (name, 0)
    assert desk.engine.ran.count("sample") == 2  # no job was started twice


def test_engine_fault_retried_then_left_alone(desk: SteppedController, world: World) -> None:
    add_submission(world.team, world.bob)
    desk.finish()
    desk.engine.faults["sample"] = fault()

    def look() -> bool:
        desk.ahead_s += 90.0
        return SampleRepeat.objects.exclude(finished=None).exists()

    desk.run_until(look)
    row = SampleRepeat.objects.get()
    assert (row.found, row.failure, row.tries) == ({}, None, 2)
    assert not_deterministic(world.challenge) == []


def test_predictions_are_not_run_again(desk: SteppedController, world: World) -> None:
    add_submission(world.team, world.bob, kind="results")
    desk.finish()
    desk.ahead_s += 20.0
    for _ in range(5):
        desk.controller.tick()
    assert not SampleRepeat.objects.exists()
