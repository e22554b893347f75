"""A ladder without a step on the platform: the controller compares single cases, and until then nothing is shown."""

from pathlib import Path

import pytest
from django.conf import settings
from tests.run_folders import write_cases
from tests.web.scored_submissions import add_submission, compute_statistics, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.core.bounded_call import Bounds
from palio.web.controller import ladder
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import LadderComparison, Submission, Team
from palio.web.queries.submission import shown_scores
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.submit import withdraw

STATISTICS = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"


@pytest.fixture
def team(world: World, tmp_path: Path) -> Team:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "b", palio=f"{STATISTICS}  feedback: ladder\n"))
    world.team.challenge.refresh_from_db()
    return world.team


def submit(team: Team, wrong: int, minute: int) -> Submission:
    return add_submission(team, scores=scores(1 - wrong / 600), minute=minute, wrong=[*range(wrong)])


def shown(*submissions: Submission) -> list[float | None]:
    found = [shown_scores(Submission.objects.get(pk=each.pk), None) for each in submissions]
    return [each["accuracy"] if each else None for each in found]


def reason(submission: Submission) -> str:
    return LadderComparison.objects.get(attempt=submission.counted_id).reason


def test_shown_when_better_by_more_than_a_standard_error(team: Team) -> None:
    """72 → 71: one case more, which is one standard error. 72 → 70: two cases more."""
    made = [submit(team, wrong, minute) for minute, wrong in enumerate((72, 71, 70, 80, 60))]
    assert shown(*made) == [None] * 5
    compute_statistics(team.challenge)
    assert shown(*made) == [0.88, None, 0.883333333, None, 0.9]
    late = submit(team, 59, 10)
    assert shown(*made, late) == [0.88, None, 0.883333333, None, 0.9, None]
    compute_statistics(team.challenge)
    assert shown(late) == [None]
    assert LadderComparison.objects.get(attempt=late.counted_id).best == made[-1].counted_id


def test_withdrawing_changes_nothing(team: Team) -> None:
    made = [submit(team, wrong, minute) for minute, wrong in enumerate((72, 71))]
    compute_statistics(team.challenge)
    withdraw(made[0], team.captain)
    compute_statistics(team.challenge)
    assert shown(made[1]) == [None]


def test_unusable_cases_are_not_shown(team: Team) -> None:
    missing = add_submission(team, scores=scores(0.9), minute=0)
    contradicting = add_submission(team, scores=scores(0.95), minute=1, wrong=[*range(60)])
    other_cases = submit(team, 50, 2)
    usable = submit(team, 60, 3)
    path = settings.FOLDERS.runs / str(other_cases.counted_id) / "scores" / "cases.csv"
    path.write_text(path.read_text().replace("0000.jpg", "other.jpg"))
    compute_statistics(team.challenge)
    assert reason(missing) == "scores/cases.csv is missing"
    assert "but the column Accuracy shows 0.950" in reason(contradicting)
    assert shown(missing, contradicting) == [None, None]
    assert shown(other_cases, usable) == [0.916666667, None]  # the first with usable cases
    assert reason(usable) == "the submissions were scored on different cases; the organizers have to re-score them"


def test_each_by_itself_when_limits_are_exceeded(team: Team) -> None:
    """The answers about both exceed the limit of bytes together, but not each by itself."""
    made = [submit(team, wrong, minute) for minute, wrong in enumerate((72, 60))]
    final = current_bundle(team.challenge).phases[-1]
    ladder.update(team.challenge, final, str(settings.FOLDERS.runs), Bounds(answer_bytes=96))
    assert shown(*made) == [0.88, 0.9]
    LadderComparison.objects.all().delete()
    ladder.update(team.challenge, final, str(settings.FOLDERS.runs), Bounds(answer_bytes=10))
    assert shown(*made) == [None, None]
    reasons = {*LadderComparison.objects.values_list("reason", flat=True)}
    assert all(each.startswith("scores/cases.csv exceeds the limits: ") for each in reasons)


def test_rescored_attempts_are_compared_again(team: Team) -> None:
    submission = submit(team, 72, 0)
    compute_statistics(team.challenge)
    attempt = submission.counted
    assert attempt is not None
    attempt.identity, attempt.number, attempt.scores = "again", 2, scores(0.95)
    attempt.save(force_insert=True)
    submission.counted = attempt
    submission.save()
    write_cases(settings.FOLDERS.runs / "again" / "scores" / "cases.csv", [*range(30)])
    assert shown(submission) == [None]
    mark_changed(team.challenge)
    compute_statistics(team.challenge)
    assert shown(submission) == [0.95]
