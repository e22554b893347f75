"""Submissions that answered differently in two runs: on the organizers' dashboard, and nowhere else."""

from collections.abc import Callable

from django.test import Client
from django.utils import timezone
from tests.web.scored_submissions import add_submission, scores
from tests.web.world import World

from palio.web.models import SampleRepeat

Browser = Callable[..., Client]
TABLE = {"name": "answers.csv", "only_in": None, "rows": 1_200, "differing": 1, "largest": 0.031}
ONLY = {"name": "more.npy", "only_in": 2, "rows": None, "differing": None, "largest": None}


def test_flag_only_on_dashboard(world: World, browser: Browser) -> None:
    submission = add_submission(world.team, scores=scores(0.9))
    found = {"files": 30, "differing": 22, "differences": [TABLE, ONLY]}
    SampleRepeat.objects.create(attempt=submission.attempts.get(), finished=timezone.now(), found=found)
    equal = add_submission(world.rivals, scores=scores(0.8))
    same = {"files": 1, "differing": 0, "differences": []}
    SampleRepeat.objects.create(attempt=equal.attempts.get(), finished=timezone.now(), found=same)
    for user in (world.alice, world.vera):
        page = browser(user).get("/c/mednist/manage/").text
        assert "Not deterministic" in page
        assert "22 of 30" in page
        assert "answers.csv: 1 of 1,200 rows differ, numbers by at most 0.031." in page
        assert "more.npy: only the second run wrote it." in page
        assert "20 more files differ." in page
    (flag,) = browser(world.alice).get("/api/v1/challenges/mednist/manage").json()["not_deterministic"]
    assert flag == {
        "phase": "Final",
        "team": world.team.name,
        "submission": submission.pk,
        "files": 30,
        "differing": 22,
        "differences": [TABLE, ONLY],
        "failure": "",
    }
    for path in ("/c/mednist/leaderboard/", f"/s/{submission.pk}/", "/c/mednist/", "/c/mednist/manage/"):
        assert "deterministic" not in browser(world.bob).get(path).text
    assert browser(world.bob).get("/api/v1/challenges/mednist/manage").status_code == 403
    submission.withdrawn = timezone.now()
    submission.save()
    assert "Not deterministic" not in browser(world.alice).get("/c/mednist/manage/").text
