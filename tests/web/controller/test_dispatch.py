"""Which attempts start: slots, named engines, engines that participants may not use, and a full disk."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.stepped_controller import SteppedController, add_submission, latest
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.bundle.model import SubmissionKind
from palio.core.engine import Enforcement, Guarantee
from palio.core.errors import PalioError
from palio.engines.named import NamedEngine, NamedEngines
from palio.web.controller import lease_renewal
from palio.web.controller.assignment import Assignment
from palio.web.models import Attempt, ControllerBeat, Submission
from palio.web.queries.queue import BlockedPhase, queue
from palio.web.verbs.engine_support import left_out, refuse_now

pytestmark = pytest.mark.django_db


def test_slots_limit_running_attempts(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller(slots=2)
    stepped.engine.lasting.add("predict")
    for number in range(5):
        add_submission(world.team, world.bob, extra=str(number).encode())
    stepped.run_until(lambda: Attempt.objects.filter(state="predict").count() == 2)
    for _ in range(5):
        stepped.controller.tick()
    assert stepped.controller.active_attempts == 2
    stepped.engine.lasting.clear()
    stepped.finish()
    assert Attempt.objects.filter(state="scored").count() == 5


def test_slots_by_memory_and_cpus(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller(slots=8, memory_gib=2.5)  # an attempt of the small challenge needs 1 GiB, to build
    stepped.engine.lasting.add("predict")
    for number in range(4):
        add_submission(world.team, world.bob, extra=str(number).encode())
    stepped.run_until(lambda: stepped.controller.active_attempts == 2)
    for _ in range(5):
        stepped.controller.tick()
    assert stepped.controller.active_attempts == 2


GPU = NamedEngines((("gpu", NamedEngine(engine="docker", slots=1)),))


def on_gpu(world: World, folder: Path) -> None:
    """A phase "Large" before "Final", for which the bundle asks for the engine `gpu`."""
    final = "  - max_submissions: 20\n    name: Final\n    start: 2026-01-01\n    tasks: [0]\n"
    own = "    end: 2026-01-01\n    palio: {engine: gpu}\n"
    large = final.replace("Final", "Large").replace("2026", "2025") + own
    publish(world.challenge, write_bundle(folder, yaml=YAML.replace(final, large + final)))


def submit_to(phase: str, world: World, extra: bytes) -> Submission:
    submission = add_submission(world.team, world.bob, extra=extra).submission
    Submission.objects.filter(pk=submission.pk).update(phase=phase)
    Attempt.objects.filter(submission=submission).update(version=world.challenge.current)
    return submission


def test_named_engine_has_slots_of_its_own(make_controller: MakeDesk, world: World, tmp_path: Path) -> None:
    """A phase whose slots are taken holds up nobody in another, although its attempts come first."""
    on_gpu(world, tmp_path / "two-phases")
    stepped = make_controller(slots=1, engines=GPU)
    stepped.engine.lasting.add("predict")
    large = [submit_to("Large", world, bytes([number])) for number in range(10)]
    final = submit_to("Final", world, b"final")
    stepped.run_until(lambda: stepped.controller.active_attempts == 2)
    for _ in range(5):
        stepped.controller.tick()
    running = Attempt.objects.exclude(state="queued").values_list("submission__phase", flat=True)
    assert sorted(running) == ["Final", "Large"]
    assert (latest(final).state == "queued", ControllerBeat.objects.get().slots) == (False, 2)
    assert sum(latest(each).state == "queued" for each in large) == 9


def test_attempts_of_a_named_engine_get_its_settings(make_controller: MakeDesk, world: World, tmp_path: Path) -> None:
    on_gpu(world, tmp_path / "two-phases")
    named = NamedEngine(engine="docker", queue="q", node_selector="pool=gpu", tolerations="gpu")
    stepped = make_controller(slots=4, engines=NamedEngines((("gpu", named),)))
    stepped.engine.lasting.add("predict")
    submissions = {phase: submit_to(phase, world, phase.encode()) for phase in ("Large", "Final")}
    stepped.run_until(lambda: stepped.controller.active_attempts == 2)
    given = {phase: stepped.controller._active[latest(each).identity].given for phase, each in submissions.items()}
    assert {phase: each.engine_settings for phase, each in given.items()} == {
        "Large": {
            "PALIO_KUBERNETES_QUEUE": "q",
            "PALIO_KUBERNETES_NODE_SELECTOR": "pool=gpu",
            "PALIO_KUBERNETES_TOLERATIONS": "gpu",
        },
        "Final": {},
    }
    assert Assignment.from_json(given["Large"].as_json()) == given["Large"]


def test_trouble_of_a_named_engine_blocks_only_its_phases(
    make_controller: MakeDesk, world: World, tmp_path: Path
) -> None:
    on_gpu(world, tmp_path / "two-phases")
    stepped = make_controller(engines=GPU)
    watch = stepped.controller._pools.of("gpu").watch
    fine, trouble = watch.found, "No node is ready. Start one."
    watch.found = replace(fine, trouble=trouble)
    large, final = submit_to("Large", world, b"large"), submit_to("Final", world, b"final")
    stepped.run_until(lambda: latest(final).state == "scored")
    assert latest(large).state == "queued"
    assert queue(world.challenge).blocked == (BlockedPhase("Large", "gpu", trouble),)
    assert (queue(world.challenge).controller.trouble, queue(world.other).blocked) == ("", ())
    watch.found = fine
    stepped.finish()
    assert (latest(large).state, queue(world.challenge).blocked) == ("scored", ())


def test_engine_that_was_removed_is_for_the_operator(make_controller: MakeDesk, world: World, tmp_path: Path) -> None:
    on_gpu(world, tmp_path / "two-phases")
    stepped = make_controller()
    submission = submit_to("Large", world, b"large")
    stepped.finish()
    attempt = latest(submission)
    assert (attempt.failure_code, attempt.failure_cause, submission.charged) == ("engine-removed", "platform", False)


def test_limits_beyond_configuration_refused(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller(memory_gib=0.5)
    submission = add_submission(world.team, world.bob).submission
    stepped.finish()
    attempt = latest(submission)
    assert (attempt.state, attempt.failure_code, submission.charged) == ("failed", "limit-unavailable", False)
    assert attempt.failure is not None
    assert "memory_gib" in attempt.failure["next_step"]


def test_bubblewrap_operator_bundles_only(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller()
    stepped.engine.name = "bubblewrap"
    stepped.controller = stepped.new_controller()
    bobs, adas = (
        add_submission(world.team, world.bob).submission,
        add_submission(world.team, world.ada, extra=b"a").submission,
    )
    predictions = add_submission(world.team, world.bob, kind="results").submission
    stepped.finish()
    refused = latest(bobs)
    assert (refused.failure_code, refused.failure_cause, bobs.charged) == ("submitter-untrusted", "platform", False)
    assert (latest(adas).state, latest(predictions).state) == ("scored", "scored")


@pytest.mark.parametrize("anyone", [False, True])
def test_participant_programs_refused_without_enforced_limits(
    make_controller: MakeDesk, world: World, anyone: bool
) -> None:
    stepped = make_controller(anyone_on_bubblewrap=anyone)
    lacks = [Guarantee("memory", Enforcement.NONE), Guarantee("output", Enforcement.NONE)]
    stepped.engine.promises = (Guarantee("network", Enforcement.KERNEL), *lacks)
    stepped.controller = stepped.new_controller()
    bobs, adas = (
        add_submission(world.team, world.bob).submission,
        add_submission(world.team, world.ada, extra=b"a").submission,
    )
    predictions = add_submission(world.team, world.bob, kind="results").submission
    stepped.finish()
    refused = latest(bobs)
    assert (refused.failure_code, refused.failure_cause, bobs.charged) == ("isolation-unenforced", "platform", False)
    assert refused.failure is not None
    assert "memory or output" in refused.failure["message"]
    assert (latest(adas).state, latest(predictions).state) == ("scored", "scored")
    assert ControllerBeat.objects.get().unenforced == ["memory", "output"]
    with pytest.raises(PalioError, match="does not enforce memory or output"):
        refuse_now(world.bob, SubmissionKind.CONTEXT)
    refuse_now(world.bob, SubmissionKind.RESULTS)
    refuse_now(world.ada, SubmissionKind.CONTEXT)
    assert list(left_out([SubmissionKind.CONTEXT, SubmissionKind.RESULTS], world.bob)) == [SubmissionKind.CONTEXT]


def test_attempts_sequential_with_shared_user(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller(slots=4)
    stepped.engine.runs_in_parallel = False
    stepped.engine.lasting.add("predict")
    stepped.controller = stepped.new_controller()
    for number in range(3):
        add_submission(world.team, world.bob, extra=str(number).encode())
    stepped.run_until(lambda: Attempt.objects.filter(state="predict").exists())
    for _ in range(5):
        stepped.controller.tick()
    assert stepped.controller.active_attempts == 1
    stepped.engine.lasting.clear()
    stepped.finish()
    assert Attempt.objects.filter(state="scored").count() == 3


def test_full_disk_starts_nothing(stepped: SteppedController, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_renewal, "LEAST_FREE_BYTES", 1 << 62)
    submission = add_submission(world.team, world.bob).submission
    stepped.controller.tick()
    assert latest(submission).state == "queued"
    assert "Free some space" in ControllerBeat.objects.get().trouble
