"""A challenge that much has happened in: submissions in every state, of two teams, and an open join request."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Registration, Submission, User


@dataclass(frozen=True)
class Full:
    """The challenge `mednist`, and the rows in it that tests look at."""

    world: World
    best: Submission  # of bob's team, in the phase Final
    rival: Submission
    failed: Submission  # carol's, by its own fault
    broken: Submission  # bob's, by the organizers'
    running: Submission
    queued: Submission
    pending: Registration  # dave's


def make_full(world: World, folder: Path) -> Full:
    publish(world.challenge, write_leaderboard_bundle(folder / "bundle"))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    add_submission(world.team, scores=scores(0.7), minute=1, note="20 epochs")
    best = add_submission(world.team, scores=scores(0.9), minute=5, note="=40 epochs", wrong=[1, 2, 3])
    rival = add_submission(world.rivals, scores=scores(0.8, 5.0), minute=6)
    failed = add_submission(world.rivals, failure="predict-time-limit", minute=10, charged=True)
    broken = add_submission(world.team, failure="scores-missing", minute=11, kind="results")
    running = add_submission(world.team, state=State.PREDICT, minute=12)
    queued = add_submission(world.rivals, minute=13)
    for submission in (best, rival):
        leave_predictions(submission)
    pending = Registration.objects.create(challenge=world.challenge, user=world.dave)
    world.challenge.refresh_from_db()
    return Full(world, best, rival, failed, broken, running, queued, pending)


def leave_predictions(submission: Submission) -> None:
    """As the attempt that counts would have left them."""
    folder = settings.FOLDERS.runs / str(submission.counted_id) / "predictions"
    folder.mkdir(parents=True)
    (folder / "answers.csv").write_text("file,answer\n")


def people(world: World) -> dict[str, User | None]:
    names = ("alice", "sam", "vera", "bob", "bea", "carol", "dave", "olga", "ada")
    return {"nobody": None, **{name: getattr(world, name) for name in names}}
