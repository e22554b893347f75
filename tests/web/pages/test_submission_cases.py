"""Where a submission stands and what its single cases say, on its page, in the API and as groups of the leaderboard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from tests.web.scored_submissions import add_submission, compute_statistics, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.web.models import CaseSummary, Submission

Browser = Callable[..., Client]
POLICY = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"


def measured(world: World, folder: Path, **lines: str) -> tuple[Submission, Submission]:
    lines["palio"] = lines.get("palio", "") + POLICY
    publish(world.challenge, write_leaderboard_bundle(folder, **lines))
    found = []
    for team, wrong in ((world.team, range(3)), (world.rivals, range(60))):
        team.challenge.refresh_from_db()
        found.append(add_submission(team, scores=scores(1 - len(wrong) / 600), wrong=[*wrong]))
    compute_statistics(world.challenge)
    return found[0], found[1]


def test_page_shows_rank_interval_and_matrix(world: World, tmp_path: Path, browser: Browser) -> None:
    own, _ = measured(world, tmp_path / "bundle")
    page = browser(world.bob).get(f"/s/{own.pk}/").text
    assert "<b>Rank 1</b>" in page
    assert "95 % interval 0.987 – 0.999, 600 cases" in page
    assert "Confusion matrix: 600 cases" in page
    assert '<td class="number right shade-1">99</td>' in page
    assert "Wrong cases" not in page  # only for organizers
    organizers = browser(world.vera).get(f"/s/{own.pk}/").text
    assert "Wrong cases" in organizers
    assert "3 of 3; a number is the place of the case" in organizers


def test_api_has_the_same(world: World, tmp_path: Path, browser: Browser) -> None:
    own, _ = measured(world, tmp_path / "bundle")
    found = browser(world.bob).get(f"/api/v1/submissions/{own.pk}").json()
    assert (found["standing"]["rank"], found["standing"]["of"]) == ("1", 2)
    assert found["cases"]["classes"][0]["right"] == 99
    assert "worst" not in found["cases"]
    assert browser(world.alice).get(f"/api/v1/submissions/{own.pk}").json()["cases"]["worst"]


@pytest.mark.parametrize(
    ("lines", "stands"),
    [
        ({"palio": "  scores: hidden\n"}, False),
        ({"final": "    hide_score_output: true\n"}, True),
        ({"final": "    hide_output: true\n"}, True),
    ],
)
def test_hidden_from_team(world: World, tmp_path: Path, browser: Browser, lines: dict[str, str], stands: bool) -> None:
    own, _ = measured(world, tmp_path / "bundle", **lines)
    found = browser(world.bob).get(f"/api/v1/submissions/{own.pk}").json()
    assert found["cases"] is None
    assert (found["standing"] is not None) is stands
    assert "Confusion matrix" not in browser(world.bob).get(f"/s/{own.pk}/").text
    assert "Confusion matrix" in browser(world.alice).get(f"/s/{own.pk}/").text
    groups = browser(world.bob).get("/api/v1/challenges/mednist/leaderboard").json()["groups"]
    assert groups == {}


def test_hidden_leaderboard_shows_no_rank(world: World, tmp_path: Path, browser: Browser) -> None:
    own, _ = measured(world, tmp_path / "bundle", board="    hidden: true\n")
    standing = browser(world.bob).get(f"/api/v1/submissions/{own.pk}").json()["standing"]
    assert (standing["rank"], standing["of"]) == (None, None)
    assert standing["interval"] is not None
    assert browser(world.alice).get(f"/api/v1/submissions/{own.pk}").json()["standing"]["rank"] == "1"


def test_computed_once(world: World, tmp_path: Path) -> None:
    measured(world, tmp_path / "bundle")
    assert CaseSummary.objects.count() == 2

    def no_process(*_: object, **__: object) -> Any:
        raise AssertionError("nothing is missing")

    compute_statistics(world.challenge, no_process)


def test_leaderboard_within_a_class(world: World, tmp_path: Path, browser: Browser) -> None:
    measured(world, tmp_path / "bundle")
    found = browser().get("/api/v1/challenges/mednist/leaderboard", {"group": "class:CXR"}).json()
    assert found["groups"]["class"]["CXR"] == 100
    assert found["notes"] == ["Within class: CXR, 100 cases. Rank ranges are only for all cases."]
    assert [(row["team"], row["scores"], row["rank_range"]) for row in found["rows"]] == [
        ("Blobs", {"accuracy": 0.99}, None),
        ("Carolingians", {"accuracy": 0.9}, None),
    ]
    page = browser().get("/c/mednist/leaderboard/", {"group": "class:CXR"}).text
    assert "Scores within a group of cases: class CXR" in page
    unknown = browser().get("/api/v1/challenges/mednist/leaderboard", {"group": "class:nonsense"}).json()
    assert (unknown["group"], unknown["rows"][0]["rank_range"]) == (None, [1, 1])


def test_distribution_of_means(world: World, tmp_path: Path, browser: Browser) -> None:
    policy = "  statistics: {cases: cases.csv, kind: mean, metric: mean(dice)}\n"
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio=policy))
    world.team.challenge.refresh_from_db()
    values = [0.5 + place / 100 for place in range(40)]
    submission = add_submission(world.team, scores=scores(sum(values) / 40))
    folder = settings.FOLDERS.runs / str(submission.counted_id) / "scores"
    folder.mkdir()
    (folder / "cases.csv").write_text("\n".join(["case,dice", *(f"{n},{value}" for n, value in enumerate(values))]))
    compute_statistics(world.challenge)
    page = browser(world.bob).get(f"/s/{submission.pk}/").text
    assert "dice of 40 cases, higher is better" in page
    assert "<dt>median</dt><dd>0.695</dd>" in page
