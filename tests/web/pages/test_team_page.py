"""The public page of a team: only if it wants one, and nothing that leaderboards do not show."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Submission, Team
from palio.web.verbs.team_profile import set_profile

Browser = Callable[..., Client]
OPEN = ", hidden: true"


def use(world: World, folder: Path, *, hides: bool = False, **given: str) -> None:
    bundle = write_leaderboard_bundle(folder / "b", **given)
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text() if hides else yaml.read_text().replace(OPEN, ""))
    publish(world.challenge, bundle)
    world.team.challenge.refresh_from_db()
    world.rivals.challenge.refresh_from_db()


@pytest.fixture
def page(world: World) -> str:
    Team.objects.filter(pk=world.team.pk).update(is_public=True, affiliation="Siena", country="IT")
    return f"/teams/{world.team.pk}/"


def entry(world: World) -> Submission:
    add_submission(world.team, scores=scores(0.5))
    add_submission(world.rivals, scores=scores(0.9), minute=1)
    return add_submission(world.team, scores=scores(0.75), minute=2)


def test_page_entries_and_receipt(world: World, browser: Browser, page: str, tmp_path: Path) -> None:
    use(world, tmp_path)
    best = entry(world)
    text = browser().get(page).text
    assert 'Siena, <span data-region="IT">Italy</span>' in text
    assert "0.750" in text
    assert "0.900" not in text
    receipt = browser().get(f"{page}receipts/{best.pk}.json")
    assert json.loads(receipt.content)["statement"]["result"]["accuracy"] == 0.75
    found = browser().get(f"/api/v1{page.rstrip('/')}").json()
    assert [(each["phase"], each["rank"], each["score"]) for each in found["entries"]] == [("Final", "2", "0.750")]
    assert browser().get(f"/api/v1{page}receipts/{best.pk}").json() == json.loads(receipt.content)
    assert found["entries"][0]["receipt"] == f"{page}receipts/{best.pk}.json"


def test_private_team_not_found(world: World, browser: Browser, tmp_path: Path) -> None:
    use(world, tmp_path)
    best = entry(world)
    for path in (f"/teams/{world.team.pk}/", f"/teams/{world.team.pk}/receipts/{best.pk}.json"):
        assert [browser(user).get(path).status_code for user in (None, world.carol)] == [404, 404]
        assert [browser(user).get(path).status_code for user in (world.bea, world.vera)] == [200, 200]
    assert browser().get(f"/api/v1/teams/{world.team.pk}").status_code == 404


def test_other_submissions_have_no_receipt_here(world: World, browser: Browser, page: str, tmp_path: Path) -> None:
    """Those of other teams, and own ones that are on no leaderboard."""
    use(world, tmp_path)
    entry(world)
    for other in Submission.objects.exclude(counted__scores__accuracy=0.75):
        assert browser().get(f"{page}receipts/{other.pk}.json").status_code == 404


def test_hidden_column_no_receipt(world: World, browser: Browser, page: str, tmp_path: Path) -> None:
    use(world, tmp_path, hides=True)
    best = entry(world)
    assert "0.750" in browser().get(page).text
    assert browser().get(f"{page}receipts/{best.pk}.json").status_code == 404


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"final": "    palio: {scores: hidden}\n"}, ""),
        ({"board": "    hidden: true\n"}, ""),
        ({"palio": "  feedback: {rule: rounded, digits: 1}\n"}, "0.8"),
    ],
)
def test_no_more_than_the_leaderboard(
    world: World, browser: Browser, page: str, tmp_path: Path, given: dict[str, Any], shown: str
) -> None:
    use(world, tmp_path, **given)
    best = entry(world)
    text = browser().get(page).text
    assert "0.75" not in text
    assert shown in text
    assert ("No entries on public leaderboards yet." in text) == (not shown)
    assert browser().get(f"{page}receipts/{best.pk}.json").status_code == 404


def test_leaderboard_links_to_public_page(world: World, browser: Browser, tmp_path: Path) -> None:
    """Only while the team has published it, and never from a baseline."""
    use(world, tmp_path)
    entry(world)
    link, team = f'<a href="/teams/{world.team.pk}/">Blobs</a>', world.team

    def page() -> str:
        return browser().get("/c/mednist/leaderboard/").text

    def publish_page(is_public: bool) -> None:
        set_profile(team, affiliation="", country="", link="", is_public=is_public, actor=world.bob)

    assert "/teams/" not in page()
    publish_page(True)
    assert page().count("/teams/") == page().count(link) == 1
    assert link in browser(world.carol).get("/c/mednist/leaderboard/").text
    assert "/teams/" not in browser(world.alice).get("/c/mednist/leaderboard/").text  # links to the submission
    Submission.objects.filter(team=team).update(baseline=True)
    mark_changed(world.challenge)
    assert "/teams/" not in page()
    Submission.objects.filter(team=team).update(baseline=False)
    publish_page(False)
    assert "/teams/" not in page()
