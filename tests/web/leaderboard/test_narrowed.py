"""Searching a leaderboard and choosing its columns; receipts and the best score over time."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from tests.bundles import YAML, write_bundle
from tests.web.scored_submissions import (
    add_submission,
    compute_statistics,
    publish,
    scores,
    write_leaderboard_bundle,
)
from tests.web.world import World

from palio.web.leaderboard import snapshot

Browser = Callable[..., Client]
API, PAGE, CSV = "/api/v1/challenges/mednist/leaderboard", "/c/mednist/leaderboard/", "/c/mednist/leaderboard.csv"


def use(world: World, folder: Path) -> None:
    publish(world.challenge, write_leaderboard_bundle(folder))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    add_submission(world.rivals, scores=scores(0.7), minute=1)
    add_submission(world.team, scores=scores(0.6), minute=2)
    add_submission(world.team, scores=scores(0.9), minute=3)


def teams(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="team">([\w ]+?)(?: <|<)', page)


def headings(page: str) -> list[str]:
    head = page.partition("<thead>")[2].partition("</thead>")[0]
    return [re.sub(r"\s+", " ", re.sub("<[^>]*>", "", each)).strip() for each in head.split("</th>")[:-1]]


def get(client: Client, path: str, **query: Any) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.text


def test_search_finds_part_of_name_in_any_case(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    anyone = browser()
    assert teams(get(anyone, PAGE)) == ["Blobs", "Carolingians"]
    page = get(anyone, PAGE, q=" LING ")
    assert teams(page) == ["Carolingians"]
    assert '<td class="rank">2</td>' in page  # its rank among all
    assert 'value="LING"' in page
    assert [row["team"] for row in anyone.get(API, {"q": "ling"}).json()["rows"]] == ["Carolingians"]
    assert [row["team"] for row in csv.DictReader(io.StringIO(get(anyone, CSV, phase="Final", q="ling")))] == [
        "Carolingians"
    ]
    none = get(anyone, PAGE, q="<b>")
    assert teams(none) == []
    assert "No team’s name contains “&lt;b&gt;”." in none


def test_chosen_columns_only(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    anyone = browser()
    everything = ["Rank", "Team", "Accuracy ↑", "Seconds ↓", "Mean rank ↓", "Entries", "Last"]
    assert headings(get(anyone, PAGE)) == everything
    assert headings(get(anyone, PAGE, columns=["", "mean_rank", "secret", "nothing"])) == [
        "Rank",
        "Team",
        "Accuracy ↑",
        "Mean rank ↓",
        "Entries",
        "Last",
    ]
    assert headings(get(anyone, PAGE, columns=[""])) == ["Rank", "Team", "Accuracy ↑", "Entries", "Last"]
    assert headings(get(anyone, PAGE, columns=["seconds", "mean_rank"])) == everything
    found = anyone.get(API, {"columns": ["seconds"]}).json()
    assert [column["key"] for column in found["columns"]] == ["accuracy", "seconds"]
    assert [{*row["scores"]} for row in found["rows"]] == [{"accuracy", "seconds"}] * 2
    (header, *_) = csv.reader(io.StringIO(get(anyone, CSV, phase="Final", columns=["seconds"])))
    assert "seconds" in header
    assert "mean_rank" not in header


def test_links_keep_search_and_columns(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    page = get(browser(), PAGE, q="b", columns=["", "seconds"])
    assert "?q=b&amp;columns=seconds&amp;sort=team" in page
    assert "&amp;q=b&amp;columns=seconds&amp;sort=rank" in page  # of a download
    assert 'name="columns" value="seconds" checked' in page
    assert 'name="columns" value="mean_rank">' in page


def test_another_answer_for_another_search(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    tags = {browser().get(API, query)["ETag"] for query in ({}, {"q": "b"}, {"columns": "seconds"}, {"columns": ""})}
    assert len(tags) == 4


def test_receipts_for_organizers_and_of_own_row(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    assert headings(get(browser(world.alice), PAGE))[-1] == "Receipt"
    assert get(browser(world.alice), PAGE).count("receipt.json") == 2
    assert "receipt.json" not in get(browser(world.bob), PAGE)  # it states a hidden column
    publish(world.challenge, write_bundle(tmp_path / "plain", yaml=YAML))
    assert "receipt.json" not in get(browser(world.bob), PAGE)  # it still does
    world.team.challenge.refresh_from_db()
    own = add_submission(world.team, scores={"accuracy": 0.95}, minute=4)
    page = get(browser(world.bob), PAGE)
    assert page.count("receipt.json") == 1
    assert f'href="/s/{own.pk}/receipt.json"' in page
    assert "receipt.json" not in get(browser(), PAGE)


def test_receipts_in_csv_and_json(world: World, tmp_path: Path, browser: Browser) -> None:
    """As on the page: of each row for organizers, of its own for a team."""
    publish(world.challenge, write_bundle(tmp_path / "plain", yaml=YAML))
    world.team.challenge.refresh_from_db()
    world.rivals.challenge.refresh_from_db()
    own = add_submission(world.team, scores={"accuracy": 0.95}, minute=1)
    other = add_submission(world.rivals, scores={"accuracy": 0.85}, minute=2)

    def receipts(client: Client) -> list[str | None]:
        return [row.get("receipt") for row in csv.DictReader(io.StringIO(get(client, CSV)))]

    addresses = [f"/s/{each.pk}/receipt.json" for each in (own, other)]
    assert receipts(browser(world.alice)) == addresses
    assert receipts(browser(world.bob)) == [addresses[0], ""]
    assert receipts(browser()) == [None, None]
    assert [row["receipt"] for row in browser(world.alice).get(API).json()["rows"]] == addresses
    assert "receipt" not in get(browser(world.bob), API)
    (settings.FOLDERS.runs / str(other.counted_id) / "receipt.json").unlink()
    assert receipts(browser(world.alice)) == [addresses[0], ""]


def test_best_over_time_with_intervals(world: World, tmp_path: Path, browser: Browser) -> None:
    """Also of submissions that are not ranked, because their team has a better one."""
    statistics = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio=statistics))
    world.team.challenge.refresh_from_db()
    for minute, wrong in enumerate((60, 50, 30)):
        add_submission(world.team, scores=scores(1 - wrong / 600), minute=minute, wrong=[*range(wrong)])
    compute_statistics(world.challenge)
    found = browser().get(API).json()
    assert len(found["rows"]) == 1
    assert found["best_over_time"][-1]["interval"] == found["rows"][0]["interval"]
    (low, high), *_ = (each["interval"] for each in found["best_over_time"])
    assert (low, high) == pytest.approx((0.87407, 0.92208), abs=1e-4)  # Beta(540.5, 60.5)
    page = get(browser(), PAGE)
    assert '<path class="band"' in page
    assert "0.874 – 0.922" in page
    assert "The band is the 95 % interval of the best score." in page


def test_best_over_time(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    found = browser().get(API).json()["best_over_time"]
    assert [(each["team"], each["score"]) for each in found] == [("Carolingians", 0.7), ("Blobs", 0.9)]
    page = get(browser(), PAGE)
    assert "Best Accuracy over time" in page
    assert page.count('<circle class="dot"') == 2
    assert "Best Accuracy over time" not in get(browser(), PAGE, metric="seconds")


def test_no_best_over_time_where_scores_are_hidden(world: World, tmp_path: Path, browser: Browser) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", board="    hidden: true\n"))
    world.team.challenge.refresh_from_db()
    for minute in (1, 2):
        add_submission(world.team, scores=scores(0.5 + minute / 10), minute=minute)
    assert browser(world.bob).get(API).json()["best_over_time"] == []
    assert len(browser(world.alice).get(API).json()["best_over_time"]) == 2


def test_only_chosen_submissions_were_best(world: World, tmp_path: Path, browser: Browser) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio="  ranking: {choose: team}\n"))
    world.team.challenge.refresh_from_db()
    add_submission(world.team, scores=scores(0.9), minute=1)
    add_submission(world.team, scores=scores(0.6), minute=2, chosen=timezone.now())
    assert [each["score"] for each in browser().get(API).json()["best_over_time"]] == [0.6]


def test_axis_of_the_best_rows(world: World, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval beyond the axis is an arrow at its end, with its numbers below the score."""
    monkeypatch.setattr(snapshot, "MOST_ON_AXIS", 1)
    statistics = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio=statistics))
    for team, wrong in ((world.team, 6), (world.rivals, 300)):
        team.challenge.refresh_from_db()
        add_submission(team, scores=scores(1 - wrong / 600), minute=wrong, wrong=[*range(wrong)])
    compute_statistics(world.challenge)
    first, second = re.findall(r'<td class="strip">(.*?)</td>', get(browser(), PAGE))
    assert first.count('class="whisker"') == first.count('class="dot"') == 1
    assert second.count('class="beyond"') == 1
    assert 'class="whisker"' not in second
    assert 'class="dot"' not in second
    assert "0.460 – 0.540" in get(browser(), PAGE)
