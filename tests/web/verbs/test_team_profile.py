"""What a team states about itself, and where it is shown."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests.errors import code_of
from tests.web.scored_submissions import add_submission
from tests.web.world import World

from palio.web.models import Event
from palio.web.verbs.team_profile import countries, set_profile

Browser = Callable[..., Client]


def profile(world: World, **given: Any) -> Any:
    values = {"affiliation": "", "country": "", "link": ""} | given
    return set_profile(world.team, **values, actor=world.bob)


def test_profile_saved(world: World) -> None:
    saved = profile(world, affiliation="  University  of Siena ", country="it", link="https://unisi.example/")
    assert (saved.affiliation, saved.country, saved.link) == ("University of Siena", "IT", "https://unisi.example/")
    event = Event.objects.get(kind="team.profile-changed")
    assert event.detail["before"] == {"affiliation": "", "country": "", "link": "", "is_public": False}
    profile(world, affiliation="University of Siena", country="IT", link="https://unisi.example/")
    assert Event.objects.filter(kind="team.profile-changed").count() == 1


@pytest.mark.parametrize(
    "given",
    [
        {"affiliation": "x" * 121},
        {"affiliation": "a\u202eb"},
        {"country": "XX"},
        {"country": "Italy"},
        {"link": "javascript:alert(1)"},
        {"link": "https:///x"},
        {"link": "https://[::1/"},
        {"link": "https://user@x.example/"},
        {"link": "https://x.example/ y"},
        {"link": "https://x.example/" + "y" * 300},
    ],
)
def test_profile_invalid(world: World, given: dict[str, str]) -> None:
    assert code_of(lambda: profile(world, **given)) == "team-profile-invalid"


def test_countries_of_iso_3166() -> None:
    found = countries()
    assert len(found) > 240
    assert (found["IT"], found["KR"], found["CI"]) == ("Italy", "Korea (South)", "Côte d’Ivoire")


def test_affiliation_on_leaderboard(world: World, browser: Browser) -> None:
    add_submission(world.team, scores={"accuracy": 0.75})
    add_submission(world.rivals, scores={"accuracy": 0.5})
    profile(world, affiliation="<b>Siena</b> & sons")
    page = browser().get("/c/mednist/leaderboard/").text
    assert '<span class="affiliation">&lt;b&gt;Siena&lt;/b&gt; &amp; sons</span>' in page
    assert page.count('class="affiliation"') == 1
    rows = browser().get("/api/v1/challenges/mednist/leaderboard").json()["rows"]
    assert [row["affiliation"] for row in rows] == ["<b>Siena</b> & sons", ""]
    table = csv.DictReader(io.StringIO(browser().get("/c/mednist/leaderboard.csv").text))
    assert [row["affiliation"] for row in table] == ["<b>Siena</b> & sons", ""]


def test_profile_form_and_api(world: World, browser: Browser) -> None:
    bob = browser(world.bob)
    given = {"affiliation": "Siena", "country": "IT", "link": "https://unisi.example/"}
    bob.post(f"/teams/{world.team.pk}/profile/", given)
    page = browser(world.bea).get("/c/mednist/team/").text
    assert 'Siena, <span data-region="IT">Italy</span>' in page
    assert 'href="https://unisi.example/" rel="nofollow noopener ugc"' in page
    changed = bob.put(f"/api/v1/teams/{world.team.pk}/profile", given | {"country": "FR"}, "application/json")
    assert changed.json()["country"] == "FR"
    refused = bob.put(f"/api/v1/teams/{world.team.pk}/profile", {"country": "XX"}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "team-profile-invalid")
