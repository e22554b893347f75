"""The controller with an engine that does as it is told: moves, faults, retries, charging, cancelling."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from tests.bundles import YAML, two_tasks, write_bundle
from tests.fakes import ended
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.programmed_engine import exits, fault, predict, score
from tests.web.controller.stepped_controller import SteppedController, add_submission, moves, states
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.attempt.run_folder import RunFolder
from palio.core.attempt.waiting import read_waiting
from palio.core.bundle.model import SubmissionKind
from palio.core.engine import End, Enforcement, Guarantee, Job, JobResult, Waiting
from palio.core.errors import PalioError
from palio.core.redaction.failure import PLATFORM_NEXT, RETRIED_NEXT
from palio.engines.named import NamedEngine, NamedEngines
from palio.web.controller import active_attempt, loop
from palio.web.controller import moves as moves_made
from palio.web.controller.assignment import Assignment
from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, ControllerBeat, Event, Submission
from palio.web.queries.queue import BlockedPhase, queue
from palio.web.storage.bundles import current_bundle
from palio.web.storage.files import bundle_path
from palio.web.verbs.engine_support import left_out, refuse_now
from palio.web.verbs.submit import cancel

pytestmark = pytest.mark.django_db
STAGES = {"predict": predict, "score": score}


def latest(submission: Submission) -> Attempt:
    submission.refresh_from_db()
    return submission.attempts.latest("number")


def hurry(submission: Submission) -> None:
    """Its waiting time is over."""
    submission.attempts.update(not_before=timezone.now())


def test_submission_evaluated_and_counted(stepped: SteppedController, world: World) -> None:
    attempt = add_submission(world.team, world.bob)
    revision = world.challenge.leaderboard_revision
    stepped.finish()
    attempt.refresh_from_db()
    submission = attempt.submission
    submission.refresh_from_db()
    assert (attempt.state, attempt.scores, attempt.engine) == ("scored", {"accuracy": 1.0}, "docker")
    assert (submission.counted, submission.charged) == (attempt, True)
    assert moves(attempt) == ["build", "predict", "score", "scored"]
    world.challenge.refresh_from_db()
    assert world.challenge.leaderboard_revision == revision + 1
    assert stepped.engine.left == []
    assert all(event.detail["why"] for event in Event.objects.all())


def test_predictions_scored_under_own_name(stepped: SteppedController, world: World) -> None:
    attempt = add_submission(world.team, world.bob, kind="results")
    stepped.finish()
    assert moves(attempt) == ["score", "scored"]
    assert (settings.FOLDERS.runs / attempt.identity / "predictions/answers.csv").is_file()


Program = Callable[[Job, Path], JobResult | None]


def ends(end: End) -> Program:
    return lambda job, output: ended(end, None)


def refuses(job: Job, output: Path) -> JobResult:
    (output / "problems.txt").write_text("answers.csv: a file is missing\n")
    return ended(exit_code=10)


@pytest.mark.parametrize(
    ("programs", "build", "code", "cause", "charged"),
    [
        ({"predict": exits}, None, "predict-exit", "participant", True),
        ({"predict": ends(End.TIME)}, None, "predict-time-limit", "participant", True),
        ({"predict": lambda job, output: None}, None, "predict-no-output", "participant", True),
        ({"score": refuses}, None, "predictions-invalid", "participant", True),
        ({}, ended(exit_code=1, detail="RUN false"), "build-failed", "participant", False),
        ({}, ended(End.TIME, None), "build-time-limit", "participant", False),
        ({"score": exits}, None, "score-exit", "organizer", False),
        ({"score": lambda job, output: None}, None, "scores-missing", "organizer", False),
    ],
)
def test_quota_by_responsible_party(
    stepped: SteppedController,
    world: World,
    programs: dict[str, Program],
    build: JobResult | None,
    code: str,
    cause: str,
    charged: bool,
) -> None:
    stepped.engine.programs = {"predict": predict, "score": score} | programs
    stepped.engine.build_result = build or stepped.engine.build_result
    submission = add_submission(world.team, world.bob).submission
    stepped.finish()
    attempt = latest(submission)
    assert (attempt.state, attempt.failure_code, attempt.failure_cause) == ("failed", code, cause)
    assert (submission.charged, submission.counted, states(submission)) == (charged, None, ["failed"])
    assert attempt.failure is not None
    assert attempt.failure_shown is not None
    assert attempt.failure_shown["code"] == code
    shown = RunFolder(settings.FOLDERS.runs / attempt.identity / "participant").read_json("result.json")
    assert shown["failure"] == attempt.failure_shown
    assert stepped.engine.left == []


def test_engine_fault_retried_with_backoff(stepped: SteppedController, world: World) -> None:
    stepped.engine.faults["predict"] = fault()
    submission = add_submission(world.team, world.bob).submission
    waits: list[int] = []
    for _ in range(3):
        stepped.run_until(lambda: latest(submission).number == len(waits) + 2)
        attempt = latest(submission)
        assert (attempt.state, attempt.purpose, submission.charged) == ("queued", "retry", False)
        waits.append(round((attempt.not_before - attempt.created).total_seconds()))
        stepped.controller.tick()
        assert latest(submission).state == "queued"
        hurry(submission)
    assert waits == [10, 60, 300]
    stepped.finish()
    assert states(submission) == ["failed"] * 4
    last = latest(submission)
    assert (last.failure_code, last.failure_cause, submission.charged) == ("engine-fault", "platform", False)
    nexts = [a.failure_shown["next_step"] for a in submission.attempts.order_by("number") if a.failure_shown]
    assert nexts == [RETRIED_NEXT] * 3 + [PLATFORM_NEXT]
    assert last.failure is not None
    assert last.failure["evidence"][-1].startswith("Failed 4 times")
    assert stepped.engine.left == []


def test_second_end_by_node_pressure_needs_the_operator(stepped: SteppedController, world: World) -> None:
    """Also with another fault in between. The first is retried, as the node may have had another reason."""
    submission = add_submission(world.team, world.bob).submission
    stepped.engine.faults["predict"] = pressure("node-1")
    stepped.run_until(lambda: latest(submission).number == 2)
    first = submission.attempts.get(number=1)
    stepped.engine.faults["predict"] = fault()
    hurry(submission)
    stepped.run_until(lambda: latest(submission).number == 3)
    stepped.engine.faults["predict"] = pressure("node-2")
    hurry(submission)
    stepped.finish()
    assert states(submission) == ["failed"] * 3
    last = latest(submission)
    assert (last.failure_code, last.failure_cause, submission.charged) == ("cluster-node-pressure", "platform", False)
    assert last.failure is not None
    assert last.failure_shown is not None
    assert last.failure["message"].startswith("The node node-2 ran out of a resource and ended ")
    assert last.failure["evidence"] == [
        f"Attempt {first.identity}: The node node-1 ran out of a resource and ended predict: low on memory.",
        "It ended like an earlier attempt, so the submission may be the cause; Palio does not retry it again.",
    ]
    assert (last.failure_shown["next_step"], last.failure_shown["evidence"]) == (PLATFORM_NEXT, [])


def test_node_pressure_before_a_run_that_somebody_asked_for_is_no_reason(
    stepped: SteppedController, world: World
) -> None:
    submission = add_submission(world.team, world.bob).submission
    stepped.engine.faults["predict"] = pressure("node-1")
    stepped.run_until(lambda: latest(submission).number == 2)
    Attempt.objects.filter(number=2).update(purpose="rerun")
    hurry(submission)
    stepped.run_until(lambda: latest(submission).number == 3)
    assert latest(submission).state == "queued"


def pressure(node: str) -> PalioError:
    facts = {"job": "predict", "node": node, "reason": "low on memory", "kubectl": "kubectl"}
    return PalioError("cluster-node-pressure", **facts)


def test_successful_retry_counts_once(stepped: SteppedController, world: World) -> None:
    stepped.engine.faults["predict"] = fault()
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).number == 2)
    stepped.engine.faults.clear()
    hurry(submission)
    stepped.finish()
    assert states(submission) == ["failed", "scored"]
    assert (submission.counted, submission.charged) == (None, False)  # as it was read before
    assert latest(submission) == submission.counted
    assert submission.charged


def test_permanent_fault_not_retried(stepped: SteppedController, world: World) -> None:
    stepped.engine.refuse = fault()
    stepped.engine.refuse.failure = stepped.engine.refuse.failure.__class__.from_json(
        stepped.engine.refuse.failure.as_json() | {"code": "limit-unavailable"}
    )
    submission = add_submission(world.team, world.bob).submission
    stepped.finish()
    assert (states(submission), latest(submission).failure_code) == (["failed"], "limit-unavailable")


def test_withdrawn_submission_not_retried(stepped: SteppedController, world: World) -> None:
    stepped.engine.faults["predict"] = fault()
    submission = add_submission(world.team, world.bob).submission
    Submission.objects.update(withdrawn=timezone.now())
    stepped.finish()
    assert states(submission) == ["failed"]


def test_bug_ends_only_its_attempt(stepped: SteppedController, world: World, caplog: pytest.LogCaptureFixture) -> None:
    stepped.engine.faults["predict"] = RuntimeError("a secret of the machine")
    broken = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(broken).number == 2)
    stepped.engine.faults.clear()
    fine = add_submission(world.rivals, world.carol).submission
    stepped.run_until(lambda: latest(fine).state == "scored")
    first = broken.attempts.get(number=1)
    assert (first.failure_code, first.failure_cause) == ("evaluation-broken", "platform")
    assert "a secret of the machine" in caplog.text
    assert "a secret of the machine" not in str([first.failure, first.failure_shown])
    assert not (settings.FOLDERS.runs / first.identity / ".work").exists()


def test_missing_bundle_names_responsible_party(stepped: SteppedController, world: World, tmp_path: Path) -> None:
    other = write_bundle(tmp_path / "other", yaml=(tmp_path / "x").name + ": 1")
    version = world.challenge.current
    assert version is not None
    version.digest = "0" * 64
    version.save()
    other.rename(bundle_path(settings.FOLDERS, version.digest))
    submission = add_submission(world.team, world.bob).submission
    try:
        stepped.finish()
    finally:
        bundle_path(settings.FOLDERS, version.digest).rename(tmp_path / "back")
    assert (latest(submission).state, latest(submission).failure_code) == ("failed", "bundle-invalid")


# -- cancelling and time


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


# -- an engine that is away


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


# -- other processes


def test_killed_attempt_resumes(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    attempt = add_submission(world.team, world.bob)
    stepped.run_until(lambda: latest(attempt.submission).state == "predict")
    stepped.kill()
    stepped.engine.lasting.clear()
    stepped.finish()
    assert states(attempt.submission) == ["scored"]
    assert stepped.engine.ran == ["build", "predict", "score-image", "score"]
    assert moves(attempt) == ["build", "predict", "score", "scored"]
    taken = Event.objects.get(kind="attempt.taken-up")
    assert taken.detail == {"state": "predict", "after": "stop"}


def test_controller_kills_not_counted(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    stepped.run_until(lambda: latest(submission).state == "predict")
    for _ in range(8):
        stepped.kill()
        stepped.run_until(lambda: stepped.controller.active_attempts == 1)
    assert latest(submission).state == "predict"


def test_attempt_killing_controller_ended(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller(slots=2)
    stepped.engine.lasting.add("predict")
    submission = add_submission(world.team, world.bob).submission
    bystander = add_submission(world.rivals, world.carol, extra=b"b").submission
    stepped.run_until(lambda: Attempt.objects.filter(state="predict").count() == 2)
    guilty = latest(submission).identity
    for _ in range(5):
        stepped.heartbeat.at_work = (
            guilty  # as it is in the memory shared with the supervisor when a controller is killed
        )
        stepped.kill()
        stepped.run_until(lambda: stepped.controller.active_attempts == 2)
    stepped.heartbeat.at_work = guilty
    stepped.kill()
    stepped.run_until(lambda: latest(submission).number == 2)
    lost = submission.attempts.get(number=1)
    assert (lost.failure_code, lost.failure_cause) == ("evaluation-killed", "platform")
    assert latest(bystander).state == "predict"
    stepped.run_until(lambda: not any(lost.identity in name for name in stepped.engine.left))


def test_leftovers_of_ended_attempts_removed(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("predict")
    running = add_submission(world.team, world.bob)
    stepped.run_until(lambda: latest(running.submission).state == "predict")
    gone = "aaaaaaaaaaaaaaaa"
    (settings.FOLDERS.runs / gone).mkdir(exist_ok=True)
    for name in (f"palio-{gone}-predict", "palio-0a0b0c0d-predict", "palio-bbbbbbbbbbbbbbbb-score"):
        (stepped.engine.folder / f"{name}.result").touch()
    stepped.controller._cleanup.join()
    stepped.controller._cleanup._looked_at_all = None
    for _ in range(3):
        stepped.controller.tick()
        stepped.controller._cleanup.join()
    assert stepped.engine.job_names() == {
        "palio-0a0b0c0d-predict",
        "palio-bbbbbbbbbbbbbbbb-score",
        f"palio-{running.identity}-build",
        f"palio-{running.identity}-predict",
    }


def test_busy_database_costs_one_tick(
    stepped: SteppedController, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = add_submission(world.team, world.bob).submission
    failures = []

    def busy(*_: object, **__: object) -> bool:
        failures.append(1)
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(moves_made, "end", busy)
        with pytest.raises(OperationalError):
            stepped.run_until(lambda: False)
    assert failures
    assert latest(submission).state == "score"
    stepped.finish()
    assert states(submission) == ["scored"]


# -- slots


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


def test_bundle_reader_hangs(stepped: SteppedController, world: World) -> None:
    read = stepped.controller._requirements._call

    def hanging(bundle: str, phase: str) -> dict[str, Any]:
        if phase == "Hangs":
            raise PalioError("challenge-over-limits", reason="it took longer than 60 s")
        return read(bundle, phase)

    stepped.controller._requirements._call = hanging
    guilty, other = (
        add_submission(world.team, world.bob).submission,
        add_submission(world.rivals, world.carol).submission,
    )
    Submission.objects.filter(pk=guilty.pk).update(phase="Hangs")
    stepped.finish()
    failed = latest(guilty)
    assert (failed.failure_code, failed.failure_cause, guilty.charged) == ("challenge-over-limits", "organizer", False)
    assert latest(other).state == "scored"


def test_full_disk_starts_nothing(stepped: SteppedController, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LEAST_FREE_BYTES", 1 << 62)
    submission = add_submission(world.team, world.bob).submission
    stepped.controller.tick()
    assert latest(submission).state == "queued"
    assert "Free some space" in ControllerBeat.objects.get().trouble


def test_several_tasks_one_attempt(stepped: SteppedController, world: World, tmp_path: Path) -> None:
    stepped.engine.programs = {f"{name}-{task}": run for task in (0, 1) for name, run in STAGES.items()}
    publish(world.challenge, write_bundle(tmp_path / "bundle", yaml=two_tasks()))
    attempt = add_submission(world.team, world.bob)
    stepped.finish()
    attempt.refresh_from_db()
    assert (attempt.state, attempt.failure_code) == ("scored", "")
    assert attempt.scores == {"accuracy": 1.0, "accuracy@0": 1.0, "accuracy@1": 1.0}
    assert moves(attempt) == ["build", "predict", "score", "scored"]
    assert stepped.engine.left == []
    bundle = current_bundle(world.challenge)
    found = snapshot(world.challenge, bundle.phases[0], bundle.leaderboard, Visibility.PUBLIC)
    assert [column.key for column in found.leaderboard.columns] == ["accuracy", "accuracy@0", "accuracy@1"]
    assert [row.values for row in found.leaderboard.rows] == [attempt.scores]
