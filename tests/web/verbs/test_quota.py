"""What uses up a try: above all, what a cancellation costs where it can be used to look at hidden data."""

from pathlib import Path

import pytest
from tests.web.scored_submissions import add_submission, publish, write_leaderboard_bundle
from tests.web.submission_files import context_zip
from tests.web.submitting import upload
from tests.web.world import World

from palio.core.attempt.run_folder import Verdict
from palio.core.attempt.states import State
from palio.core.bundle.pick_phase import find_phase
from palio.core.errors import PalioError
from palio.web.models import Event, Purpose, Submission
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.quota import cancelling_counts, cancelling_may_count, is_charged
from palio.web.verbs.submission_limits import quotas_of
from palio.web.verbs.submit import cancel, submit

RUNNING = (State.QUEUED, State.BUILD, State.SAMPLE, State.PREDICT, State.SCORE)


def with_logs(world: World, folder: Path, logs: str, final: str = "") -> World:
    publish(world.challenge, write_leaderboard_bundle(folder / "bundle", palio=f"  logs: {logs}\n", final=final))
    world.team.challenge.refresh_from_db()
    return world


def at(submission: Submission, state: State) -> Submission:
    submission.attempts.update(state=state)
    return submission


@pytest.mark.parametrize(
    ("logs", "final", "kind", "counts"),
    [
        ("{predict: none}", "", "context", []),
        ("{sample: full}", "", "context", []),
        ("{predict: tail}", "", "context", [State.PREDICT, State.SCORE]),
        ("{predict: full}", "", "image", [State.PREDICT, State.SCORE]),
        ("{predict: full}", "    hide_output: true\n", "context", []),
        ("{predict: full}", "", "results", []),  # predictions were made elsewhere
        ("{score: tail}", "", "context", [State.SCORE]),
        ("{score: full}", "", "results", [State.SCORE]),
        ("{score: organizer}", "", "results", []),
    ],
)
def test_cancel_counts_with_hidden_log_shown(
    world: World, tmp_path: Path, logs: str, final: str, kind: str, counts: list[State]
) -> None:
    submission = add_submission(with_logs(world, tmp_path, logs, final).team, state=State.BUILD, kind=kind)
    phase = find_phase(current_bundle(submission.challenge), "Final")
    assert phase is not None
    assert cancelling_may_count(phase) or counts == []
    found = [state for state in RUNNING if cancelling_counts(at(submission, state).attempts.get())]
    assert found == counts


def test_cancel_rescore_counts_by_score_log(world: World, tmp_path: Path) -> None:
    submission = add_submission(with_logs(world, tmp_path, "{predict: full}").team, state=State.SCORE)
    attempt = submission.attempts.get()
    attempt.source, attempt.purpose = attempt, Purpose.RESCORE
    assert not cancelling_counts(attempt)


def test_cancel_counting_unconfirmed(world: World, tmp_path: Path) -> None:
    with_logs(world, tmp_path, "{predict: tail}")
    submission = at(submit(upload(world.team, world.bob, context_zip()), world.bob).submission, State.PREDICT)
    with pytest.raises(PalioError) as error:
        cancel(submission, world.bob)
    assert (error.value.code, error.value.status) == ("cancel-counts", 409)
    assert submission.attempts.get().cancel_requested is None
    cancel(submission, world.bob, counts=True)
    assert is_charged(submission.attempts.get(), Verdict.CANCELLED, None)
    cancel(submission, world.bob)  # asked again, nothing more happens
    assert Event.objects.filter(kind="attempt.cancel-requested").count() == 1


def test_cancel_free_when_requested(world: World, tmp_path: Path) -> None:
    with_logs(world, tmp_path, "{predict: tail}")
    submission = at(submit(upload(world.team, world.bob, context_zip()), world.bob).submission, State.BUILD)
    cancel(submission, world.bob, counts=True)
    at(submission, State.PREDICT)  # before the controller got to it
    assert not is_charged(submission.attempts.get(), Verdict.CANCELLED, None)


def test_cancel_queued_does_not_count(world: World, tmp_path: Path) -> None:
    with_logs(world, tmp_path, "{predict: full}", "    max_submissions: 1\n")
    submission = submit(upload(world.team, world.bob, context_zip()), world.bob).submission
    cancel(submission, world.bob)
    assert [each.left for each in quotas_of(world.team)] == [100, 1]
