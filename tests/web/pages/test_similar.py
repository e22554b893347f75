"""Nearly equal predictions: on the organizers' dashboard, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

from django.test import Client
from tests.web.scored_submissions import add_submission, compute_statistics, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.web.models import SimilarityCheck

Browser = Callable[..., Client]
POLICY = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"


def test_similar_predictions_only_on_dashboard(world: World, tmp_path: Path, browser: Browser) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio=POLICY))
    copied = [*range(0, 300, 10)]
    found = []
    for team, wrong in ((world.team, copied), (world.rivals, copied[:-1])):
        team.challenge.refresh_from_db()
        found.append(add_submission(team, scores=scores(1 - len(wrong) / 600), wrong=wrong))
    compute_statistics(world.challenge)
    for user in (world.alice, world.vera):
        page = browser(user).get("/c/mednist/manage/").text
        assert "Nearly equal predictions" in page
        assert "599 of 600" in page
        assert "29 and 30" in page or "30 and 29" in page
        assert "below 1 in a billion" in page
    (pair,) = browser(world.alice).get("/api/v1/challenges/mednist/manage").json()["similar"]
    assert {pair["team_a"], pair["team_b"]} == {"Blobs", "Carolingians"}
    assert (pair["equal"], pair["shared"], pair["cases"]) == (599, 29, 600)
    for path in ("/c/mednist/leaderboard/", f"/s/{found[0].pk}/", "/c/mednist/", "/c/mednist/manage/"):
        assert "Nearly equal" not in browser(world.bob).get(path).text
    checked = SimilarityCheck.objects.get().computed
    compute_statistics(world.challenge)
    assert SimilarityCheck.objects.get().computed == checked  # once for each set of submissions
