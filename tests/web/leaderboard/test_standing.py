"""What a leaderboard says about itself: who cannot be told apart, failures, movement, other metrics, missing cases."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from tests.web.scored_submissions import add_submission, compute_statistics, publish, scores, write_leaderboard_bundle
from tests.web.world import World, make_team

from palio.web.models import Submission, Team

Browser = Callable[..., Client]
API, PAGE = "/api/v1/challenges/mednist/leaderboard", "/c/mednist/leaderboard/"
POLICY = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"


def use(world: World, folder: Path, palio: str = POLICY) -> list[Team]:
    publish(world.challenge, write_leaderboard_bundle(folder, palio=palio))
    teams = [world.team, world.rivals, make_team(world.challenge, "Thirds", world.dave)]
    for team in teams:
        team.challenge.refresh_from_db()
    return teams


def score(team: Team, wrong: range, **more: Any) -> Submission:
    return add_submission(team, scores=scores(1 - len(wrong) / 600), wrong=[*wrong], **more)


def leaderboard(client: Client, **query: str) -> Any:
    return client.get(API, query).json()


def test_first_group_has_line_and_sentence(world: World, tmp_path: Path, browser: Browser) -> None:
    teams = use(world, tmp_path / "bundle")
    for team, wrong in zip(teams, (range(1), range(5, 7), range(100)), strict=True):
        score(team, wrong)
    compute_statistics(world.challenge)
    found = leaderboard(browser())
    assert found["notes"] == ["600 cases cannot tell the first two apart.", "One case is worth 0.0017."]
    assert found["one_case"] == pytest.approx(1 / 600)
    page = browser().get(PAGE).text
    assert "<b>600 cases cannot tell the first two apart.</b> One case is worth 0.0017." in page
    rows = re.findall(r'<tr( class="[^"]*")?><td class="rank">(.*?)<', page)
    assert rows == [("", "1–2"), (' class="group-end"', "1–2"), ("", "3")]
    own = browser(world.carol).get(PAGE).text
    assert '<tr class="own group-end">' in own


def test_all_apart_has_no_line(world: World, tmp_path: Path, browser: Browser) -> None:
    for team in use(world, tmp_path / "bundle"):
        score(team, range(1))
    compute_statistics(world.challenge)
    assert leaderboard(browser())["notes"][0] == "600 cases cannot tell all three apart."
    assert "group-end" not in browser().get(PAGE).text


def test_failures_counted_by_cause(world: World, tmp_path: Path, browser: Browser) -> None:
    first, second, _ = use(world, tmp_path / "bundle")
    score(first, range(1))
    score(second, range(9))
    add_submission(first, failure="predict-time-limit", minute=2)
    add_submission(first, failure="predict-exit", minute=3)
    add_submission(first, failure="scores-missing", minute=4)  # the organizer's fault
    found = {row["team"]: row["failed"] for row in leaderboard(browser())["rows"]}
    assert found == {"Blobs": 2, "Carolingians": 0}
    assert '1<span class="failed-count">2 failed</span>' in browser().get(PAGE).text


def test_failures_of_hidden_leaderboard_only_own(world: World, tmp_path: Path, browser: Browser) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", board="    hidden: true\n"))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
        score(team, range(3))
        add_submission(team, failure="predict-exit", minute=2)
    assert [(row["team"], row["failed"]) for row in leaderboard(browser(world.bob))["rows"]] == [("Blobs", 1)]
    assert leaderboard(browser())["rows"] == []


def test_movement_of_last_day(world: World, tmp_path: Path, browser: Browser) -> None:
    first, second, third = use(world, tmp_path / "bundle")
    now = timezone.now()
    score(first, range(10), when=now - timedelta(days=3))
    score(second, range(20), when=now - timedelta(days=2))
    assert {row["movement"] for row in leaderboard(browser())["rows"]} == {None}
    assert "24 h" not in browser().get(PAGE).text
    score(second, range(5), when=now - timedelta(hours=1))
    score(third, range(15), when=now - timedelta(hours=1))
    found = [(row["team"], row["movement"]) for row in leaderboard(browser())["rows"]]
    assert found == [("Carolingians", 1), ("Blobs", -1), ("Thirds", None)]
    page = browser().get(PAGE).text
    assert re.findall(r'<td class="moved"><span class="([^"]*)"', page) == ["up", "down", "badge busy"]
    rows = [*csv.DictReader(io.StringIO(browser().get("/c/mednist/leaderboard.csv").text))]
    assert [(row["failed"], row["movement"]) for row in rows] == [("0", "1"), ("0", "-1"), ("0", "")]


def test_rank_by_another_metric(world: World, tmp_path: Path, browser: Browser) -> None:
    first, second, _ = use(world, tmp_path / "bundle")
    add_submission(first, scores=scores(1 - 1 / 600, seconds=30.0), wrong=[1])
    add_submission(second, scores=scores(1 - 2 / 600, seconds=4.0), wrong=[2, 3])
    compute_statistics(world.challenge)
    found = leaderboard(browser(), metric="seconds")
    assert [(row["team"], row["rank"], row["rank_range"]) for row in found["rows"]] == [
        ("Carolingians", 1, None),
        ("Blobs", 2, None),
    ]
    assert (found["primary"], found["notes"]) == ("seconds", [])
    page = browser().get(PAGE, {"metric": "seconds"}).text
    assert "Rank ranges are those of Accuracy, by which the challenge ranks." in page
    assert re.search(r'<a href="[^"]*metric=seconds" aria-current="true">Seconds</a>', page)
    for unknown in ("nonsense", "secret"):  # a hidden column is none of them
        assert leaderboard(browser(), metric=unknown)["primary"] == "accuracy"
    etags = {browser().get(PAGE, {"metric": key}).headers["ETag"] for key in ("accuracy", "seconds")}
    assert len(etags) == 2


def test_no_statistics_says_what_to_add(world: World, tmp_path: Path, browser: Browser) -> None:
    score(use(world, tmp_path / "bundle", palio="")[0], range(3))
    said = "No intervals and no rank ranges: the challenge names no file with a result for each case."
    line = "statistics: {cases: cases.csv, kind: classification, metric: accuracy}"
    for user, sees_line in ((None, False), (world.bob, False), (world.alice, True)):
        page = browser(user).get(PAGE).text
        assert said in page
        assert (line in page) is sees_line
    assert leaderboard(browser())["no_intervals"] == said


def test_unusable_cases_shown_to_organizers(world: World, tmp_path: Path, browser: Browser) -> None:
    submission = score(use(world, tmp_path / "bundle")[0], range(3))
    path = settings.FOLDERS.runs / str(submission.counted_id) / "scores" / "cases.csv"
    path.write_text("file,truth,prediction\nsecret.jpg,,Hand\n")
    assert leaderboard(browser())["no_intervals"] is None  # not computed yet
    compute_statistics(world.challenge)
    assert "row 2: no truth" in leaderboard(browser(world.alice))["no_intervals"]
    assert leaderboard(browser(world.bob))["no_intervals"].endswith("The organizers see why.")


def test_versions_that_scored(world: World, tmp_path: Path, browser: Browser) -> None:
    first, second, _ = use(world, tmp_path / "bundle")
    score(first, range(1))
    assert "Scored by version 2 of the challenge" in browser().get(PAGE).text
    use_again = write_leaderboard_bundle(tmp_path / "next", palio=POLICY)
    publish(world.challenge, use_again)
    second.challenge.refresh_from_db()
    score(second, range(2))
    assert "Scored by versions 2, 3 of the challenge" in browser().get(PAGE).text


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("https://example.org/a?b=1&c", '<a href="https://example.org/a?b=1&amp;c" rel="nofollow noopener ugc"'),
        ("javascript:alert(1)", "<td>javascript:alert(1)</td>"),
        ("https://a b", "<td>https://a b</td>"),
        ('https://x"onmouseover=1', '<a href="https://x&quot;onmouseover=1"'),
    ],
)
def test_answer_with_address_is_a_link(world: World, tmp_path: Path, browser: Browser, answer: str, shown: str) -> None:
    question = "{title: Method, type: text, selection: '', is_required: 'false', is_on_leaderboard: 'true'}"
    sheet = f"fact_sheet:\n  method: {question}\n"
    bundle = write_leaderboard_bundle(tmp_path / "bundle")
    path = bundle / "competition.yaml"
    path.write_text(path.read_text() + sheet)
    publish(world.challenge, bundle)
    world.team.challenge.refresh_from_db()
    score(world.team, range(1), answers={"method": answer})
    assert shown in browser().get(PAGE).text
