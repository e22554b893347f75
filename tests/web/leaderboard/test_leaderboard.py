"""The leaderboard on page, in downloads and in the API: who ranks where, and who sees what."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests.web.scored_submissions import NOON, add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.web.leaderboard.entries import read_again, read_entries, read_rescored
from palio.web.leaderboard.leaderboard import read_leaderboard
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Challenge, Rescore, Submission, User
from palio.web.storage.bundles import current_bundle

Browser = Callable[..., Client]
API = "/api/v1/challenges/mednist/leaderboard"
EVERYWHERE = (
    "/c/mednist/leaderboard/",
    "/c/mednist/leaderboard/Final/",
    "/c/mednist/leaderboard.csv",
    "/c/mednist/leaderboard.json",
    API,
)
BLIND = "    palio: {scores: hidden}\n"
OUTPUT_HIDDEN = "    hide_output: true\n    hide_prediction_output: true\n    hide_score_output: true\n"


def use(world: World, folder: Path, **lines: str) -> World:
    publish(world.challenge, write_leaderboard_bundle(folder / "bundle", **lines))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    return world


@pytest.fixture
def open_challenge(world: World, tmp_path: Path) -> World:
    return use(world, tmp_path)


def rows(
    challenge: Challenge, visibility: Visibility = Visibility.PUBLIC
) -> list[tuple[int | None, str, float | None]]:
    bundle = current_bundle(challenge)
    leaderboard, _ = read_leaderboard(challenge, bundle.phases[-1], bundle.leaderboard, visibility)
    return [(row.rank, row.name, row.values.get("accuracy")) for row in leaderboard.rows]


# -- who ranks where


def test_best_of_each_team_with_ties(open_challenge: World) -> None:
    add_submission(open_challenge.team, scores=scores(0.9))
    add_submission(open_challenge.team, scores=scores(0.7), minute=1)
    add_submission(open_challenge.rivals, scores=scores(0.9), minute=2)
    assert rows(open_challenge.challenge) == [(1, "Blobs", 0.9), (1, "Carolingians", 0.9)]


def test_last_of_each_team(world: World, tmp_path: Path) -> None:
    use(world, tmp_path, palio="  ranking: {choose: last}\n")
    add_submission(world.team, scores=scores(0.9))
    add_submission(world.team, scores=scores(0.7), minute=1)
    add_submission(world.rivals, scores=scores(0.8))
    assert rows(world.challenge) == [(1, "Carolingians", 0.8), (2, "Blobs", 0.7)]


def test_entry_without_primary_score(open_challenge: World) -> None:
    add_submission(open_challenge.team, scores={"seconds": 1.0})
    add_submission(open_challenge.rivals, scores=scores(0.1))
    assert rows(open_challenge.challenge) == [(1, "Carolingians", 0.1), (None, "Blobs", None)]


@pytest.mark.parametrize("field", ["withdrawn", "hidden"])
def test_withdrawn_and_hidden_not_shown(open_challenge: World, field: str) -> None:
    gone: dict[str, Any] = {field: timezone.now()}
    add_submission(open_challenge.team, scores=scores(0.9), **gone)
    add_submission(open_challenge.team, scores=scores(0.6))
    assert rows(open_challenge.challenge, Visibility.ALL) == [(1, "Blobs", 0.6)]


def test_disqualified_unranked_for_organizers(open_challenge: World) -> None:
    add_submission(open_challenge.team, scores=scores(0.9), disqualified="copied")
    add_submission(open_challenge.rivals, scores=scores(0.5))
    assert rows(open_challenge.challenge) == [(1, "Carolingians", 0.5)]
    assert rows(open_challenge.challenge, Visibility.ALL) == [(1, "Carolingians", 0.5), (None, "Blobs", 0.9)]


def test_baseline_row(open_challenge: World) -> None:
    add_submission(open_challenge.team, scores=scores(0.6), baseline=True)
    add_submission(open_challenge.team, scores=scores(0.8), minute=1)
    assert rows(open_challenge.challenge) == [(1, "Blobs", 0.8), (2, "Blobs", 0.6)]


def test_entries_counted_per_team(open_challenge: World) -> None:
    add_submission(open_challenge.team, scores=scores(0.9))
    add_submission(open_challenge.team, scores=scores(0.7), minute=1)
    add_submission(open_challenge.team, failure="predict-exit", minute=2)
    add_submission(open_challenge.team, scores=scores(0.95), minute=3, disqualified="copied")
    bundle = current_bundle(open_challenge.challenge)
    found, _ = read_leaderboard(open_challenge.challenge, bundle.phases[-1], bundle.leaderboard, Visibility.PUBLIC)
    (row,) = found.rows
    assert (row.entries, row.last) == (2, NOON.replace(minute=1))


def test_leaderboard_per_phase(open_challenge: World, browser: Browser) -> None:
    add_submission(open_challenge.team, scores=scores(0.25), phase="Practice")
    assert "0.250" in browser().get("/c/mednist/leaderboard/Practice/").text
    assert "No scores in this phase yet" in browser().get("/c/mednist/leaderboard/").text
    assert browser().get("/c/mednist/leaderboard/Nonesuch/").status_code == 404


def test_rescore_not_applied(open_challenge: World) -> None:
    submission = add_submission(open_challenge.team, scores=scores(0.9))
    challenge, alice = open_challenge.challenge, open_challenge.alice
    assert submission.counted is not None
    rescore = Rescore.objects.create(
        challenge=challenge, version=submission.counted.version, phase="Final", created_by=alice
    )
    submission.attempts.create(
        number=2,
        purpose="rescore",
        rescore=rescore,
        version=submission.counted.version,
        state="scored",
        scores=scores(0.4),
    )
    assert [entry.scores["accuracy"] for entry in read_entries(challenge, "Final")] == [0.9]
    assert [entry.scores["accuracy"] for entry in read_rescored(rescore)] == [0.4]


@pytest.mark.parametrize(
    "change",
    [
        {"disqualified": "copied"},
        {"disqualified": ""},
        {"baseline": True},
        {"baseline": False},
        {"hidden": NOON},
        {"withdrawn": NOON},
    ],
)
def test_entries_cached_equal(open_challenge: World, change: dict[str, Any]) -> None:
    challenge = open_challenge.challenge
    before: dict[str, Any] = {"disqualified": "", "baseline": False}
    before |= {"disqualified": "copied"} if change == {"disqualified": ""} else {}
    before |= {"baseline": True} if change == {"baseline": False} else {}
    changed = add_submission(open_challenge.team, scores=scores(0.9), **before)
    add_submission(open_challenge.rivals, scores=scores(0.8), minute=1)
    known = read_entries(challenge, "Final")
    add_submission(open_challenge.team, scores=scores(0.7), minute=2)
    Submission.objects.filter(pk=changed.pk).update(**change)
    assert read_again(challenge, "Final", None, known) == read_entries(challenge, "Final") != known
    assert read_again(challenge, "Final", open_challenge.team, known) == read_entries(
        challenge, "Final", open_challenge.team
    )


# -- how it is shown


def test_api_leaderboard(open_challenge: World, browser: Browser) -> None:
    add_submission(open_challenge.team, scores=scores(0.9, 20))
    add_submission(open_challenge.rivals, scores=scores(0.95, 30), minute=1)
    column = {"descending": True, "precision": 3}
    assert browser(open_challenge.bob).get(API).json() == {
        "own_team": "Blobs",
        "challenge": "mednist",
        "title": "Vowels",
        "phase": "Final",
        "leaderboard": "main",
        "leaderboard_title": "Results",
        "leaderboards": [{"key": "main", "title": "Results"}],
        "hidden": False,
        "primary": "accuracy",
        "columns": [
            {"key": "accuracy", "title": "Accuracy", **column},
            {"key": "seconds", "title": "Seconds", "descending": False, "precision": 1},
            {"key": "mean_rank", "title": "Mean rank", "descending": False, "precision": 2},
        ],
        "questions": [],
        "cases": None,
        "group": None,
        "groups": {},
        "one_case": None,
        "notes": [],
        "no_intervals": "No intervals and no rank ranges: the challenge names no file with a result for each case.",
        "feedback": None,
        "best_over_time": [
            {"submitted": "2026-03-01T12:00:00+00:00", "score": 0.9, "interval": None, "team": "Blobs"},
            {"submitted": "2026-03-01T12:01:00+00:00", "score": 0.95, "interval": None, "team": "Carolingians"},
        ],
        "rows": [
            {
                "rank": 1,
                "rank_range": None,
                "team": "Carolingians",
                "affiliation": "",
                "baseline": False,
                "scores": {"accuracy": 0.95, "seconds": 30, "mean_rank": 1.5},
                "interval": None,
                "intervals": {},
                "ranks": {"accuracy": 1, "seconds": 2, "mean_rank": 1},
                "entries": 1,
                "failed": 0,
                "last": "2026-03-01T12:01:00+00:00",
                "movement": None,
            },
            {
                "rank": 2,
                "rank_range": None,
                "team": "Blobs",
                "affiliation": "",
                "baseline": False,
                "scores": {"accuracy": 0.9, "seconds": 20, "mean_rank": 1.5},
                "interval": None,
                "intervals": {},
                "ranks": {"accuracy": 2, "seconds": 1, "mean_rank": 1},
                "entries": 1,
                "failed": 0,
                "last": "2026-03-01T12:00:00+00:00",
                "movement": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("sort", "teams"),
    [
        ("rank", ["Carolingians", "Blobs"]),
        ("-rank", ["Blobs", "Carolingians"]),
        ("team", ["Blobs", "Carolingians"]),
        ("seconds", ["Blobs", "Carolingians"]),
        ("-seconds", ["Carolingians", "Blobs"]),
        ("entries", ["Blobs", "Carolingians"]),
        ("last", ["Carolingians", "Blobs"]),
        ("nonsense", ["Carolingians", "Blobs"]),
        ("secret", ["Carolingians", "Blobs"]),  # a hidden column's order would tell of it
    ],
)
def test_leaderboard_is_sorted_as_requested(
    open_challenge: World, browser: Browser, sort: str, teams: list[str]
) -> None:
    add_submission(open_challenge.team, scores=scores(0.9, 20, secret=0.9))
    add_submission(open_challenge.team, scores=scores(0.8, 90, secret=0.9))
    add_submission(open_challenge.rivals, scores=scores(0.95, 30, secret=0.1), minute=1)
    given = browser().get(API, {"sort": sort}).json()
    assert [row["team"] for row in given["rows"]] == teams
    page = browser().get("/c/mednist/leaderboard/", {"sort": sort}).text
    assert (page.index("Blobs") < page.index("Carolingians")) == (teams[0] == "Blobs")


def test_csv_unrounded_without_formulas(open_challenge: World, browser: Browser) -> None:
    open_challenge.team.name = "=1+1"
    open_challenge.team.save()
    add_submission(open_challenge.team, scores=scores(0.123456789))
    answer = browser().get("/c/mednist/leaderboard.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="mednist-final.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["rank"], row["team"], row["accuracy"]) == ("1", "'=1+1", "0.123456789")


def test_page_own_team(open_challenge: World, browser: Browser) -> None:
    first = add_submission(open_challenge.team, scores=scores(0.5))
    add_submission(open_challenge.team, scores=scores(0.75), minute=1)
    add_submission(open_challenge.rivals, scores=scores(0.95))
    page = browser(open_challenge.bea).get("/c/mednist/leaderboard/").text
    assert page.count('<tr class="own">') == page.count(">your team<") == 1
    assert f'<a href="/s/{first.pk}/" aria-label="0.500, 2026-03-01 12:00 UTC">' in page
    for other in (None, open_challenge.dave):
        page = browser(other).get("/c/mednist/leaderboard/").text
        assert ">your team<" not in page
        assert 'id="history"' not in page
        assert first.pk not in page


def test_page_of_a_team_takes_eight_queries(
    open_challenge: World, browser: Browser, django_assert_num_queries: Callable[[int], object]
) -> None:
    """Challenge, session, user, affiliation, receipt, own scores, announcements, unread notifications."""
    add_submission(open_challenge.team, scores=scores(0.5))
    bob = browser(open_challenge.bob)
    bob.get("/c/mednist/leaderboard/")
    with django_assert_num_queries(8):  # type: ignore[attr-defined]
        bob.get("/c/mednist/leaderboard/")


def test_team_name_escaped(open_challenge: World, browser: Browser) -> None:
    open_challenge.team.name = "<script>alert(1)</script>"
    open_challenge.team.save()
    add_submission(open_challenge.team, scores=scores(0.5))
    assert "<script>alert" not in browser().get("/c/mednist/leaderboard/").text


def test_new_score_shown_at_once(open_challenge: World, browser: Browser) -> None:
    add_submission(open_challenge.team, scores=scores(0.5))
    assert "0.500" in browser().get("/c/mednist/leaderboard/").text
    add_submission(open_challenge.team, scores=scores(0.625), minute=1)
    assert "0.625" in browser().get("/c/mednist/leaderboard/").text


@pytest.mark.parametrize("path", ["/c/mednist/leaderboard/", API])
def test_unchanged_leaderboard_not_modified(open_challenge: World, browser: Browser, path: str) -> None:
    add_submission(open_challenge.team, scores=scores(0.5))
    bob, carol = browser(open_challenge.bob), browser(open_challenge.carol)
    etag = bob.get(path).headers["ETag"]
    assert bob.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert carol.get(path, headers={"If-None-Match": etag}).status_code == 200
    add_submission(open_challenge.team, scores=scores(0.6), minute=1)
    assert bob.get(path, headers={"If-None-Match": etag}).status_code == 200


# -- what is hidden


def test_hidden_column_absent(open_challenge: World, browser: Browser) -> None:
    add_submission(open_challenge.team, scores=scores(0.5, secret=0.123456))
    for user in (None, open_challenge.bob, open_challenge.alice):
        for path in EVERYWHERE:
            text = browser(user).get(path).text
            assert "0.123" not in text
            assert "secret" not in text.lower()


@pytest.mark.parametrize("lines", [{"board": "    hidden: true\n"}, {"final": BLIND}, {"palio": "  scores: hidden\n"}])
def test_hidden_leaderboard_refused(world: World, browser: Browser, tmp_path: Path, lines: dict[str, str]) -> None:
    use(world, tmp_path, **lines)
    add_submission(world.team, scores=scores(0.512, 77.7))
    add_submission(world.rivals, scores=scores(0.623, 88.8), minute=1)
    for user in (None, world.dave, world.bob, world.carol, world.olga):
        for path in (*EVERYWHERE, f"{API}?sort=-accuracy", f"{API}/history"):
            text = browser(user).get(path).text
            own = {world.bob: "0.512", world.carol: "0.623"}.get(user) if user else None
            assert [number for number in ("0.512", "0.623") if number in text and number != own] == []
            assert "Carolingians" not in text or user == world.carol
            assert "Blobs" not in text or user == world.bob
    for user in (world.alice, world.sam, world.vera, world.ada):
        for path in EVERYWHERE:
            text = browser(user).get(path).text
            assert "0.512" in text
            assert "0.623" in text


def test_hidden_leaderboard_own_scores(world: World, browser: Browser, tmp_path: Path) -> None:
    use(world, tmp_path, board="    hidden: true\n")
    add_submission(world.team, scores=scores(0.512, 77.7))
    add_submission(world.rivals, scores=scores(0.623), minute=1)
    (row,) = browser(world.bob).get(API).json()["rows"]
    assert row["rank"] is None
    assert row["ranks"] == {}
    assert row["scores"] == {"accuracy": 0.512, "seconds": 77.7}  # the mean of ranks would tell the ranks


def test_hidden_output_leaderboard_shown(world: World, browser: Browser, tmp_path: Path) -> None:
    use(world, tmp_path, final=OUTPUT_HIDDEN)
    add_submission(world.team, scores=scores(0.512))
    for user in (None, world.bob, world.carol, world.alice):
        for path in EVERYWHERE:
            assert "0.512" in browser(user).get(path).text
    assert "Participants do not see this leaderboard" not in browser(world.alice).get("/c/mednist/leaderboard/").text


def test_next_version_unhides_scores(world: World, browser: Browser, tmp_path: Path) -> None:
    submission = add_submission(use(world, tmp_path / "hidden", final=BLIND).team, scores=scores(0.512))
    bob, addresses = browser(world.bob), (*EVERYWHERE, f"/s/{submission.pk}/", f"/api/v1/submissions/{submission.pk}")
    assert ["0.512" in bob.get(path).text for path in addresses] == [False] * len(addresses)
    use(world, tmp_path / "shown")
    assert ["0.512" in bob.get(path).text for path in addresses] == [True] * len(addresses)


def test_blind_phase_without_own_scores(world: World, browser: Browser, tmp_path: Path) -> None:
    use(world, tmp_path, final=BLIND)
    add_submission(world.team, scores=scores(0.512))
    add_submission(world.team, scores=scores(0.513), minute=1)
    bob = browser(world.bob)
    assert bob.get(API).json()["rows"] == []
    assert bob.get(f"{API}/history").json() == []
    for path in EVERYWHERE:
        assert "0.51" not in bob.get(path).text


def test_organizer_snapshot_not_shared(world: World, browser: Browser, tmp_path: Path) -> None:
    use(world, tmp_path, board="    hidden: true\n")
    add_submission(world.team, scores=scores(0.512))
    readers: list[User | None] = [world.alice, None, world.carol, world.bob]
    seen = ["0.512" in browser(user).get("/c/mednist/leaderboard/").text for user in [*readers, *readers]]
    assert seen == [True, False, False, True] * 2


def test_draft_leaderboard_organizer_only(world: World, browser: Browser) -> None:
    for path in (
        "/c/draft/leaderboard/",
        "/c/draft/leaderboard.csv",
        "/c/draft/leaderboard.json",
        "/api/v1/challenges/draft/leaderboard",
    ):
        assert [browser(user).get(path).status_code for user in (None, world.bob, world.alice)] == [404, 404, 200]
