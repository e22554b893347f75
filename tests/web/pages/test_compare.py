"""Comparing two submissions on the platform: page, API and `palio compare`, and who may compare what."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.core.bounded_call import BoundsError
from palio.web.models import Attempt, PairComparison, Submission, Team
from palio.web.queries import compare as query
from palio.web.queries.compare import row_key

Browser = Callable[..., Client]
POLICY = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
API = "/api/v1/challenges/mednist/compare"
PAGE = "/c/mednist/compare/"


def use(world: World, folder: Path, **lines: str) -> World:
    lines["palio"] = lines.get("palio", "") + POLICY
    publish(world.challenge, write_leaderboard_bundle(folder, **lines))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    return world


def score(team: Team, wrong: list[int], **more: Any) -> Submission:
    return add_submission(team, scores=scores(1 - len(wrong) / 600), wrong=wrong, **more)


@pytest.fixture
def two(world: World, tmp_path: Path) -> tuple[Submission, Submission]:
    """Of bob's team and of carol's: 1 and 2 wrong of 600."""
    use(world, tmp_path / "bundle")
    return score(world.team, [0]), score(world.rivals, [5, 6], minute=1)


def compared(client: Client, a: str = "Blobs", b: str = "Carolingians", **more: str) -> Any:
    return client.get(API, {"a": a, "b": b, **more})


def test_compare_teams_of_leaderboard(two: tuple[Submission, Submission], browser: Browser) -> None:
    found = compared(browser()).json()
    (column,) = found["columns"]
    assert (column["only_a"], column["only_b"], column["cases"], column["p_value"]) == (2, 1, 600, 1.0)
    assert column["chance_reversed"] == pytest.approx(0.3125)
    assert column["interval"][0] < 0 < column["difference"] < column["interval"][1]
    assert found["a"] == {"name": "Blobs", "row": row_key(two[0].pk), "rank": "1"}
    text = json.dumps(found)
    assert all(secret not in text for each in two for secret in (each.pk, each.counted_id or ""))


def test_compare_page(two: tuple[Submission, Submission], browser: Browser) -> None:
    page = browser().get(PAGE, {"a": row_key(two[0].pk), "b": row_key(two[1].pk)})
    assert page.status_code == 200
    assert "Only Blobs is right on 2 of 600 cases, only Carolingians on 1." in page.text
    assert "600 cases cannot tell them apart (p = 1.000, exact McNemar)." in page.text
    assert "<dt>Chance of reversal</dt><dd>31 %</dd>" in page.text
    proposed = browser().get(PAGE).text
    assert f'value="{row_key(two[0].pk)}" selected' in proposed
    assert "Only A right" not in proposed


def test_comparison_stored_once(
    two: tuple[Submission, Submission], browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compared(browser()).json()

    def no_process(*_: object, **__: object) -> Any:
        raise AssertionError("it is stored")

    monkeypatch.setattr(query, "call_bounded", no_process)
    assert compared(browser()).json() == first
    assert PairComparison.objects.count() == 1


@pytest.mark.parametrize(
    ("a", "b", "status", "code"),
    [
        ("Blobs", "blobs", 422, "compare-same"),
        ("Blobs", "Nobody", 404, "compare-unknown"),
    ],
)
def test_compare_refused(
    two: tuple[Submission, Submission], browser: Browser, a: str, b: str, status: int, code: str
) -> None:
    answer = compared(browser(), a, b)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    page = browser().get(PAGE, {"a": a, "b": b})
    assert page.status_code == status
    assert 'role="alert"' in page.text


def test_compare_submission_off_leaderboard(two: tuple[Submission, Submission], world: World, browser: Browser) -> None:
    worse = score(world.team, list(range(30)), minute=3)
    assert compared(browser(world.bob), "Blobs", worse.pk).json()["columns"][0]["only_a"] == 29
    assert compared(browser(world.alice), "Blobs", worse.pk).status_code == 200
    for user in (None, world.carol, world.dave):
        assert compared(browser(user), "Blobs", worse.pk).json()["code"] == "compare-unknown"


def test_compare_hidden_scores(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle", palio="  scores: hidden\n")
    score(world.team, [0]), score(world.rivals, [5, 6])
    for user in (None, world.bob, world.dave):
        answer = compared(browser(user))
        assert (answer.status_code, answer.json()["code"]) == (403, "compare-hidden")
        page = browser(user).get(PAGE, {"a": "Blobs", "b": "Carolingians"})
        assert page.status_code == 403
        assert "Carolingians" not in page.text
    assert compared(browser(world.vera)).status_code == 200


def test_compare_on_hidden_leaderboard(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle", board="    hidden: true\n")
    first, second = score(world.team, [0]), score(world.team, list(range(20)), minute=1)
    score(world.rivals, [5, 6])
    assert compared(browser(world.bob)).json()["code"] == "compare-unknown"  # carol's
    assert compared(browser(world.bob), first.pk, second.pk).json()["columns"][0]["only_a"] == 19
    assert compared(browser(), first.pk, second.pk).json()["code"] == "compare-unknown"
    assert compared(browser(world.alice)).status_code == 200


def test_compare_without_cases(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle")
    score(world.team, [0])
    rival = score(world.rivals, [5, 6])
    cases = settings.FOLDERS.runs / str(rival.counted_id) / "scores" / "cases.csv"
    cases.write_text("file,truth,prediction\nsecret.jpg,,Hand\n")
    shown = compared(browser(world.bob)).json()
    assert shown["code"] == "compare-no-cases"
    assert "organizers see the details" in shown["message"]
    assert "row 2" not in json.dumps(shown)
    assert "scores/cases.csv cannot be used (row 2: no truth)" in compared(browser(world.alice)).json()["message"]


def test_compare_without_statistics(world: World, tmp_path: Path, browser: Browser) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle"))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
        add_submission(team, scores=scores(0.9))
    answer = compared(browser())
    assert (answer.status_code, answer.json()["code"]) == (422, "compare-no-cases")
    assert "the challenge names no file of single cases" in answer.json()["message"]


def test_compare_of_different_scorers(two: tuple[Submission, Submission], world: World, tmp_path: Path,
                                      browser: Browser) -> None:  # fmt: skip
    attempt = Attempt.objects.get(pk=two[1].counted_id)
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "next", palio=POLICY))
    version = world.challenge.current
    assert version is not None
    attempt.version = version
    attempt.save()
    assert compared(browser()).json()["code"] == "compare-different-scorer"  # no lock says that they are the same
    lock = {"scoring_program": {"digest": "1" * 64}, "reference_data": {"digest": "2" * 64}}
    for each in two:
        (settings.FOLDERS.runs / str(each.counted_id) / "lock.json").write_text(json.dumps(lock))
    assert compared(browser()).status_code == 200
    other = settings.FOLDERS.runs / str(two[0].counted_id) / "lock.json"
    other.write_text(json.dumps(lock | {"scoring_program": {"digest": "3" * 64}}))
    refused = compared(browser())
    assert refused.status_code == 422
    assert refused.json()["message"].startswith("Blobs and Carolingians were scored differently: by the scoring")


def test_compare_several_rows_of_a_team(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path / "bundle", palio="  ranking: {choose: all}\n")
    first, second = score(world.team, [0]), score(world.team, [5, 6], minute=1)
    refused = compared(browser(), "Blobs", row_key(first.pk)).json()
    assert refused["code"] == "compare-ambiguous"
    assert row_key(second.pk) in refused["next_step"]
    found = compared(browser(), row_key(first.pk), row_key(second.pk)).json()
    assert [found[side]["name"] for side in "ab"] == ["Blobs (2026-03-01 12:00)", "Blobs (2026-03-01 12:01)"]


def test_compare_beyond_limits(
    two: tuple[Submission, Submission], browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(*_: object, **__: object) -> Any:
        raise BoundsError("it took longer than 60 s")

    monkeypatch.setattr(query, "call_bounded", too_long)
    assert compared(browser()).json()["code"] == "compare-limits"
    assert compared(browser()).json()["code"] == "compare-limits"  # stored: it does not run again at every request


def test_compare_while_another_is_computed(
    two: tuple[Submission, Submission], browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_WAIT_S", 0.01)
    with query._computing:
        answer = compared(browser())
    assert (answer.status_code, answer.json()["code"]) == (503, "compare-busy")
    assert not PairComparison.objects.exists()


def test_hidden_column_not_compared(world: World, tmp_path: Path, browser: Browser) -> None:
    policy = "  statistics: {cases: cases.csv, kind: classification, metrics: {accuracy: accuracy, secret: f1_macro}}\n"
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio=policy))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
        score(team, [0] if team == world.team else [1, 2])
    for user in (None, world.alice):  # on no leaderboard, not even the organizers'
        assert [column["key"] for column in compared(browser(user)).json()["columns"]] == ["accuracy"]
