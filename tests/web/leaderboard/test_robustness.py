"""The statistics page of a phase, its CSV and its API, and what bad input does to them."""

import csv
import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from tests.web.scored_submissions import (
    add_submission,
    compute_statistics,
    publish,
    scores,
    write_leaderboard_bundle,
)
from tests.web.world import World

from palio.web.models import LeaderboardStatistics, Submission, Team, User

Browser = Callable[..., Client]
PAGE, TABLE, API = "/c/mednist/statistics/Final/", "/c/mednist/statistics.csv", "/api/v1/challenges/mednist/statistics"
LEADERBOARD = "/c/mednist/leaderboard/Final/"


def use(world: World, folder: Path, kind: str = "classification", metric: str = "accuracy", **lines: str) -> World:
    policy = f"  statistics: {{cases: cases.csv, kind: {kind}, metric: {metric}}}\n"
    publish(world.challenge, write_leaderboard_bundle(folder, palio=policy, **lines))
    return world


def team(world: World, name: str) -> Team:
    return Team.objects.create(challenge=world.challenge, name=name, captain=User.objects.create(username=name))


def classified(world: World, name: str, wrong: Sequence[int], **more: Any) -> Submission:
    of = scores(1 - len(wrong) / 600, seconds=float(more.get("minute", 0) + 1))
    return add_submission(team(world, name), scores=of, wrong=[*wrong], **more)


def measured(world: World, name: str, rows: Mapping[str, Sequence[object]], score: float, minute: int = 0) -> None:
    """A submission whose file of cases has these columns."""
    made = add_submission(team(world, name), scores=scores(score), minute=minute)
    assert made.counted is not None
    path = settings.FOLDERS.runs / made.counted.identity / "scores" / "cases.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *rows])
        writer.writerows([f"{number:03}", *row] for number, row in enumerate(zip(*rows.values(), strict=True)))


def shown(browser: Browser) -> tuple[str, str, list[Any]]:
    """The statistics page and the leaderboard as texts, and the rows of the leaderboard's API."""
    pages = [browser().get(address) for address in (PAGE, LEADERBOARD)]
    assert [page.status_code for page in pages] == [200, 200]
    rows = browser().get("/api/v1/challenges/mednist/leaderboard").json()["rows"]
    statistics, leaderboard = (page.text for page in pages)
    assert "nan" not in re.sub(r"<[^>]+>", " ", statistics + leaderboard).lower().split()
    return statistics, leaderboard, rows


@pytest.fixture
def three(world: World, tmp_path: Path) -> World:
    use(world, tmp_path / "bundle")
    classified(world, "Anna & <Co>", range(10), minute=2)
    classified(world, "$x^2$", range(5, 17), minute=1)
    classified(world, "Worst", range(100, 200))
    compute_statistics(world.challenge)
    return world


def test_page_has_every_picture_with_its_numbers(three: World, browser: Browser) -> None:
    page = browser().get(PAGE)
    assert page.status_code == 200
    text = page.text
    assert re.findall(r'<h3 id="(\w+)">', text) == ["blobs", "significance", "podium", "orders", "agreement"]
    assert text.count('<svg viewBox="0 0 619.2') == 4
    assert text.count("<details>") == 4
    assert "3 teams, compared on 600 cases by exact McNemar" in text
    assert "$x^2$" in text  # not read as a formula
    assert "Anna &amp; &lt;Co&gt;" in text
    assert "<Co>" not in text


def test_pictures_are_safe_in_a_page_with_a_strict_policy(three: World, browser: Browser) -> None:
    text = browser().get(PAGE).text
    drawn = "".join(re.findall(r'<svg viewBox="0 0 619.2.*?</svg>', text, re.DOTALL))
    assert not re.search(r"style=|<style|<script|https?:|<image|xlink", drawn)
    assert not re.search(r'#0101\d\d|#000000|"black"', drawn)
    assert {*re.findall(r"var\(--(\w+)\)", drawn)} >= {"ink", "soft", "line", "accent", "good"}
    identities = re.findall(r'\bid="([^"]+)"', text)
    assert len(identities) == len({*identities})
    named = {*re.findall(r'(?:href="|url\()#([^")]+)', drawn)}
    assert named <= {*identities}


def test_numbers_are_the_same_in_csv_api_and_leaderboard(three: World, browser: Browser) -> None:
    found = browser().get(API).json()
    rows = [*csv.DictReader(io.StringIO(browser().get(TABLE).text))]
    assert [row["team"] for row in rows] == [row["team"] for row in found["rows"]] == ["Anna & <Co>", "$x^2$", "Worst"]
    board = browser().get("/api/v1/challenges/mednist/leaderboard").json()["rows"]
    assert (
        [row["rank_range"] for row in found["rows"]] == [row["rank_range"] for row in board] == [[1, 2], [1, 2], [3, 3]]
    )
    assert [row["better_than"] for row in found["rows"]] == [["Worst"], ["Worst"], []]
    assert found["redraws"] == 2000
    for row, of_row in zip(rows, found["rows"], strict=True):
        assert sum(of_row["redraws"]) == 2000
        frequencies = [float(row[f"frequency_{rank}"]) for rank in (1, 2, 3)]
        first = of_row["first_rank"] - 1
        assert frequencies[first : first + len(of_row["redraws"])] == [count / 2000 for count in of_row["redraws"]]
        assert sum(frequencies) == pytest.approx(1)
    # 5 cases only the first has wrong, 7 only the second.
    assert found["rows"][0]["chance_next_is_better"] == pytest.approx(0.2905, abs=1e-4)
    agreement = {(each["first"], each["second"]): each["tau"] for each in found["agreement"]}
    assert agreement["accuracy", "by_case"] == 1
    assert agreement["accuracy", "seconds"] == -1


def test_second_submission_uses_what_is_kept(three: World, browser: Browser) -> None:
    files = settings.FOLDERS.statistics.glob("*.kept")  # other tests' too
    kept = max(files, key=lambda file: file.stat().st_mtime_ns)
    before = kept.stat().st_mtime_ns
    classified(three, "New", range(300, 301), minute=3)
    compute_statistics(three.challenge)
    assert kept.stat().st_mtime_ns > before
    found = browser().get(API).json()["rows"]
    kept.unlink()
    LeaderboardStatistics.objects.all().delete()
    compute_statistics(three.challenge)
    assert browser().get(API).json()["rows"] == found
    assert [row["team"] for row in found] == ["New", "Anna & <Co>", "$x^2$", "Worst"]


def test_hidden_leaderboard_has_no_statistics(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle", board="    hidden: true\n")
    classified(world, "A", range(10))
    classified(world, "B", range(90), minute=1)
    compute_statistics(world.challenge)
    page = browser(world.bob).get(PAGE)
    assert "The organizers have not published these scores" in page.text
    assert len(browser(world.bob).get(TABLE).text.splitlines()) == 1  # the header
    assert browser(world.bob).get(API).json()["rows"] == []
    assert "2 teams, compared on 600 cases" in browser(world.alice).get(PAGE).text


# -- bad input


def test_no_team(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    compute_statistics(world.challenge)
    statistics, _, rows = shown(browser)
    assert "No scores in this phase yet" in statistics
    assert rows == []


def test_one_team(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    classified(world, "Only", range(3))
    compute_statistics(world.challenge)
    statistics, _, (row,) = shown(browser)
    assert "nothing to compare it with" in statistics
    low, high = row["interval"]
    assert low < 0.995 < high


@pytest.mark.parametrize(("wrong", "chance"), [(range(7), None), (range(0), None)], ids=["all equal", "all perfect"])
def test_equal_teams(world: World, tmp_path: Path, browser: Browser, wrong: range, chance: float | None) -> None:
    use(world, tmp_path / "bundle")
    for number in range(3):
        classified(world, f"T{number}", wrong, minute=number)
    compute_statistics(world.challenge)
    _, _, rows = shown(browser)
    assert [(row["rank"], row["rank_range"]) for row in rows] == [(1, [1, 3])] * 3
    assert all(row["interval"][0] < row["interval"][1] for row in rows)
    found = browser().get(API).json()["rows"]
    assert [(row["first_rank"], row["redraws"], row["chance_next_is_better"]) for row in found] == [
        (1, [2000], chance)
    ] * 3


def test_different_case_sets_are_refused(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle", "mean", "mean(dice)")
    measured(world, "A", {"dice": [0.5] * 19 + [0.9]}, 0.52)
    measured(world, "B", {"dice": [0.4] * 29 + [0.8]}, 0.4133333, minute=1)
    compute_statistics(world.challenge)
    statistics, leaderboard, rows = shown(browser)
    assert "scored on different cases" in statistics
    assert "scored on different cases" in leaderboard
    assert [row["rank_range"] for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("columns", "score", "why"),
    [
        ({"dice": [0.5, 0.6, -0.1]}, 1 / 3, "row 4: dice is '-0.1'; it must lie from 0 to 1"),
        ({"dice": [0.5, 0.6, "nan"]}, 0.55, "row 4: dice is 'nan', which is not a finite number"),
        ({"dice": [0.5, 0.6, 0.7]}, 0.9, "is 0.600, but the column Accuracy shows 0.900"),
        ({"dice": [0.5]}, 0.5, "an interval needs at least two cases, or two groups"),
        ({"dice": [0.5, 0.5, 0.5]}, 0.5, "all cases have the same value, which tells nothing about other cases"),
    ],
    ids=["negative", "nan", "contradicts the score", "one case", "constant"],
)
def test_cases_that_tell_nothing_have_no_interval(
    world: World, tmp_path: Path, browser: Browser, columns: dict[str, list[object]], score: float, why: str
) -> None:
    use(world, tmp_path / "bundle", "mean", "mean(dice)")
    measured(world, "A", columns, score)
    measured(world, "B", columns, score, minute=1)
    compute_statistics(world.challenge)
    _, leaderboard, rows = shown(browser)
    assert [row["interval"] for row in rows] == [None, None]
    assert [row["rank"] for row in rows] == [1, 1]
    assert "The organizers see why." in leaderboard
    assert why not in leaderboard
    organizer = browser(world.alice)
    assert why in html.unescape(organizer.get("/c/mednist/leaderboard/").content.decode())
    assert why in organizer.get("/api/v1/challenges/mednist/leaderboard").json()["no_intervals"]


@pytest.mark.parametrize(
    ("truth", "predictions", "score"),
    [
        ("aaaaaabbbb", ("aaaaaaaaaa", "aaaaaaaaaa"), 0.6),  # a class without predictions
        ("aaaaaaaaaa", ("aaaaaaaabb", "aaaaaaaacc"), 0.8),  # classes without cases
        ("a", ("a", "a"), 1.0),  # one case
    ],
    ids=["no predictions", "no cases", "one case"],
)
def test_classes_that_are_missing(
    world: World, tmp_path: Path, browser: Browser, truth: str, predictions: tuple[str, str], score: float
) -> None:
    use(world, tmp_path / "bundle")
    for number, said in enumerate(predictions):
        measured(world, f"T{number}", {"truth": truth, "prediction": said}, score, minute=number)
    compute_statistics(world.challenge)
    _, _, rows = shown(browser)
    assert [row["rank_range"] for row in rows] == [[1, 2], [1, 2]]
    assert all(row["interval"][0] < row["interval"][1] for row in rows)


def test_constant_probabilities(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle", "probability", "auc")
    truth = [0, 1] * 10
    measured(world, "Perfect", {"truth": truth, "prediction": truth}, 1.0)
    measured(world, "Constant", {"truth": truth, "prediction": [0.5] * 20}, 0.5, minute=1)
    compute_statistics(world.challenge)
    _, _, rows = shown(browser)
    assert [row["rank_range"] for row in rows] == [[1, 1], [2, 2]]
    assert all(row["interval"][0] < row["interval"][1] for row in rows)
