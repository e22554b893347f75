"""The controller with an engine that does as it is told: moves, faults, retries, quota, kills."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from tests.bundles import two_tasks, write_bundle
from tests.fakes import ended
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.programmed_engine import exits, fault, predict, score
from tests.web.controller.stepped_controller import SteppedController, add_submission, latest, moves, states
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.attempt.run_folder import RunFolder
from palio.core.engine import End, Job, JobResult
from palio.core.errors import PalioError
from palio.core.redaction.failure import PLATFORM_NEXT, RETRIED_NEXT
from palio.web.controller import moves as moves_made
from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, Event, Submission
from palio.web.storage.bundles import current_bundle
from palio.web.storage.files import bundle_path

pytestmark = pytest.mark.django_db

STAGES = {"predict": predict, "score": score}


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
    Attempt.objects.update(moved=timezone.now() + timedelta(hours=2))  # the clock was set back since
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
