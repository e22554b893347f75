"""Scoring again: a single submission, and a whole phase that goes live at once or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from tests.errors import code_of
from tests.fakes import ended
from tests.web.controller.programmed_engine import exits, fault, score
from tests.web.controller.stepped_controller import SteppedController, add_submission, moves, states
from tests.web.world import World

from palio.core.engine import Job, JobResult
from palio.web.models import Attempt, Event, Notification, Rescore, Submission
from palio.web.verbs.judge import disqualify, hide, reinstate, unhide
from palio.web.verbs.rerun import rerun, rescore_one
from palio.web.verbs.rescore import apply, begin, boards_of, compare, discard

pytestmark = pytest.mark.django_db


def scoring(value: float) -> Callable[[Job, Path], JobResult | None]:
    def program(job: Job, output: Path) -> None:
        (output / "scores.json").write_text(f'{{"accuracy": {value}}}')

    return program


def refuses(job: Job, output: Path) -> JobResult:
    (output / "problems.txt").write_text("answers.csv: a file is missing\n")
    return ended(exit_code=10)


@pytest.fixture
def stepped(make_controller: Callable[..., SteppedController]) -> SteppedController:
    return make_controller(slots=1)  # so that they come in order


@pytest.fixture
def scored(stepped: SteppedController, world: World) -> list[Submission]:
    """Two teams' submissions, with 1.0 each."""
    attempts = [add_submission(world.team, world.bob), add_submission(world.rivals, world.carol)]
    stepped.finish()
    return [Submission.objects.get(pk=attempt.submission_id) for attempt in attempts]


def counted(submission: Submission) -> object:
    submission.refresh_from_db()
    return submission.counted.scores if submission.counted else None


def test_rerun_all_stages(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    stepped.engine.programs = {**stepped.engine.programs, "score": scoring(0.5)}
    attempt = rerun(scored[0], world.alice)
    assert (attempt.number, attempt.purpose) == (2, "rerun")
    stepped.finish()
    assert moves(attempt) == ["queued", "build", "predict", "score", "scored"]
    assert counted(scored[0]) == {"accuracy": 0.5}


def test_rerun_failed_keeps_score(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    stepped.engine.programs = {**stepped.engine.programs, "score": exits}
    rerun(scored[0], world.alice)
    stepped.finish()
    assert (states(scored[0]), counted(scored[0]), scored[0].charged) == (["scored", "failed"], {"accuracy": 1.0}, True)


def test_rerun_refunds_organizer_fault(stepped: SteppedController, world: World) -> None:
    def refuses(job: Job, output: Path) -> JobResult:
        (output / "problems.txt").write_text("all of it\n")
        return ended(exit_code=10)

    stepped.engine.programs = {**stepped.engine.programs, "score": refuses}
    submission = add_submission(world.team, world.bob).submission
    stepped.finish()
    submission.refresh_from_db()
    assert submission.charged
    stepped.engine.programs = {**stepped.engine.programs, "score": exits}
    rerun(submission, world.alice)
    stepped.finish()
    submission.refresh_from_db()
    assert not submission.charged


def test_rescore_submission_without_running(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    stepped.engine.programs = {"score": scoring(0.25)}
    attempt = rescore_one(scored[0], world.sam)
    stepped.finish()
    assert moves(attempt) == ["queued", "score", "scored"]
    assert counted(scored[0]) == {"accuracy": 0.25}
    before, after = (
        settings.FOLDERS.runs / each.identity / "predictions/answers.csv"
        for each in scored[0].attempts.order_by("number")
    )
    assert before.read_text() == after.read_text()


def test_one_running_at_a_time(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    rerun(scored[0], world.alice)
    assert code_of(lambda: rerun(scored[0], world.alice)) == "submission-unfinished"
    assert code_of(lambda: rescore_one(scored[0], world.alice)) == "submission-unfinished"


def test_rerun_file_deleted(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    scored[0].file.deleted = timezone.now()
    scored[0].file.save()
    assert code_of(lambda: rerun(scored[0], world.alice)) == "rerun-file-deleted"
    Submission.objects.update(withdrawn=timezone.now())
    assert code_of(lambda: rescore_one(scored[1], world.alice)) == "submission-withdrawn"
    nothing = add_submission(world.team, world.bob, extra=b"fails")
    Attempt.objects.filter(pk=nothing.pk).update(state="cancelled")
    assert code_of(lambda: rescore_one(nothing.submission, world.alice)) == "predictions-gone"


def test_rescore_phase_applied_at_once(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    values = iter((0.25, 0.75))
    stepped.engine.programs = {"score": lambda job, output: scoring(next(values))(job, output)}
    revision = Event.objects.count() and leaderboard_revision(world)
    rescore = begin(world.challenge, "Final", world.alice)
    assert code_of(lambda: begin(world.challenge, "Final", world.alice)) == "rescore-open"
    assert code_of(lambda: apply(rescore, world.alice)) == "rescore-running"
    stepped.finish()
    rescore.refresh_from_db()
    assert (rescore.state, leaderboard_revision(world)) == ("ready", revision)
    assert [counted(each) for each in scored] == [{"accuracy": 1.0}] * 2
    comparison = compare(rescore, boards_of(rescore)[0])
    old = {row.entry.label: row.rank for row in comparison.old.rows}
    assert old == {each.id: 1 for each in scored}
    assert [(change.row.entry.label, change.new and change.new.rank) for change in comparison.changes] == [
        (scored[1].id, 1),
        (scored[0].id, 2),
    ]
    apply(rescore, world.alice)
    assert [counted(each) for each in scored] == [{"accuracy": 0.25}, {"accuracy": 0.75}]
    assert leaderboard_revision(world) == revision + 1
    assert Notification.objects.filter(kind="rescored", user=world.carol).get().text.endswith("1.000 → 0.750.")
    assert code_of(lambda: discard(rescore, world.alice)) == "rescore-decided"
    assert [kind for kind in Event.objects.values_list("kind", flat=True) if kind.startswith("rescore")] == [
        "rescore.begun",
        "rescore.applied",
    ]


def test_rescore_without_new_score(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    values = iter((exits, score))
    stepped.engine.programs = {"score": lambda job, output: next(values)(job, output)}
    rescore = begin(world.challenge, "Final", world.alice)
    stepped.finish()
    comparison = compare(rescore, boards_of(rescore)[0])
    assert [attempt.submission for attempt in comparison.failed] == [scored[0]]
    assert [(change.old is None, change.new is None) for change in comparison.changes] == [
        (False, False),
        (False, True),
    ]
    apply(rescore, world.alice)
    assert [counted(each) for each in scored] == [None, {"accuracy": 1.0}]


def test_rescore_platform_faults_not_applied(
    stepped: SteppedController, world: World, scored: list[Submission]
) -> None:
    stepped.engine.faults["score"] = fault()
    rescore = begin(world.challenge, "Final", world.alice)

    def is_ready() -> bool:
        rescore.attempts.update(not_before=timezone.now())
        rescore.refresh_from_db()
        return rescore.state == Rescore.State.READY

    stepped.run_until(is_ready)
    assert code_of(lambda: apply(rescore, world.alice)) == "rescore-incomplete"
    discard(rescore, world.alice)
    assert [counted(each) for each in scored] == [{"accuracy": 1.0}] * 2


def test_rescore_all_failed_not_applied(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    stepped.engine.programs = {"score": exits}
    rescore = begin(world.challenge, "Final", world.alice)
    stepped.finish()
    refusal = compare(rescore, boards_of(rescore)[0]).refusal
    assert refusal is not None
    assert refusal.code == "rescore-failed"
    assert code_of(lambda: apply(rescore, world.alice)) == "rescore-failed"
    assert [counted(each) for each in scored] == [{"accuracy": 1.0}] * 2
    discard(rescore, world.alice)


def test_rescore_all_refused_applied(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    stepped.engine.programs = {"score": refuses}
    rescore = begin(world.challenge, "Final", world.alice)
    stepped.finish()
    apply(rescore, world.alice)
    assert [counted(each) for each in scored] == [None, None]


def test_rescore_discarded_stops(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    stepped.engine.lasting.add("score")
    rescore = begin(world.challenge, "Final", world.alice)
    stepped.run_until(lambda: rescore.attempts.filter(state="score").exists())
    discard(rescore, world.alice)
    stepped.run_until(lambda: not rescore.attempts.exclude(state="cancelled").exists())
    rescore.refresh_from_db()
    assert rescore.state == "discarded"
    assert begin(world.challenge, "Final", world.alice).state == "running"


def test_rescore_nothing(world: World) -> None:
    assert code_of(lambda: begin(world.challenge, "Final", world.alice)) == "rescore-empty"
    assert code_of(lambda: begin(world.challenge, "Nothing", world.alice)) == "phase-unknown"
    assert not Rescore.objects.exists()


def test_decisions_audited_and_ranked(stepped: SteppedController, world: World, scored: list[Submission]) -> None:
    submission, revision = scored[0], leaderboard_revision(world)
    hide(submission, world.alice)
    hide(submission, world.alice)
    unhide(submission, world.alice)
    assert code_of(lambda: disqualify(submission, world.alice, "  ")) == "reason-missing"
    assert code_of(lambda: disqualify(submission, world.alice, "x" * 501)) == "reason-too-long"
    disqualify(submission, world.alice, "It was trained on the test set.")
    submission.refresh_from_db()
    assert (submission.hidden, submission.disqualified) == (None, "It was trained on the test set.")
    reinstate(submission, world.alice)
    assert leaderboard_revision(world) == revision + 4
    done = Event.objects.filter(kind__startswith="submission.", actor=world.alice).values_list("kind", flat=True)
    assert [*done] == [f"submission.{kind}" for kind in ("hidden", "shown", "disqualified", "reinstated")]


def leaderboard_revision(world: World) -> int:
    world.challenge.refresh_from_db()
    return world.challenge.leaderboard_revision
