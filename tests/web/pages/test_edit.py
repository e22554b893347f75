"""The page on which an organizer edits dates, limits and texts."""

from collections.abc import Callable

from django.test import Client
from tests.web.full_challenge import Full

Browser = Callable[..., Client]
PAGE = "/c/mednist/manage/edit/"


def test_edit_reviewed_then_published(full: Full, browser: Browser) -> None:
    alice = browser(full.world.alice)
    form = alice.get(PAGE)
    assert 'name="phase-1-max_submissions" value="100"' in form.text
    assert "Review changes" in form.text
    given = {"base": "2", "phase-1-end": "2026-02-01", "phase-1-max_submissions": "<5>", "do": "review"}
    bad = alice.post(PAGE, given)
    assert bad.status_code == 422
    assert "“Final”, submissions in total: says <code>&lt;5&gt;</code>" in bad.text
    assert 'value="&lt;5&gt;"' in bad.text
    given["phase-1-max_submissions"] = "50"
    reviewed = alice.post(PAGE, given)
    assert "<del>100</del>" in reviewed.text
    assert "<ins>50</ins>" in reviewed.text
    assert "closes at once" in reviewed.text
    unconfirmed = alice.post(PAGE, given | {"do": "publish", "reason": "Over & out"})
    assert (unconfirmed.status_code, full.world.challenge.versions.count()) == (409, 2)
    assert "Over &amp; out</textarea>" in unconfirmed.text
    done = alice.post(PAGE, given | {"do": "publish", "reason": "Over & out", "confirm": "on"})
    assert done["Location"] == "/c/mednist/versions/"
    shown = browser().get("/c/mednist/versions/").text
    assert "Over &amp; out" in shown
    assert "<ins>50</ins>" in shown


def test_edit_outdated(full: Full, browser: Browser) -> None:
    alice = browser(full.world.alice)
    for base in ("1", "", "x" * 100):
        answer = alice.post(PAGE, {"base": base, "phase-1-max_submissions": "50", "do": "publish", "reason": "x"})
        assert (answer.status_code, "Load the page again" in answer.text) == (409, True)
    assert full.world.challenge.versions.count() == 2


def test_edit_changes_nothing(full: Full, browser: Browser) -> None:
    answer = browser(full.world.alice).post(PAGE, {"base": "2", "phase-1-max_submissions": "100", "do": "review"})
    assert (answer.status_code, "The edit changes nothing." in answer.text) == (422, True)


def test_edit_in_api(full: Full, browser: Browser) -> None:
    alice, address = browser(full.world.alice), "/api/v1/challenges/mednist/manage/edit"
    content = {"phases": {"Final": {"max_submissions_per_day": "3"}}}

    def post(where: str, given: object) -> tuple[int, dict[str, object]]:
        answer = alice.post(where, given, content_type="application/json")
        return answer.status_code, answer.json()

    change = {"what": "phase “Final”: submissions per day", "old": "5", "new": "3"}
    assert post(f"{address}/review", content) == (200, {"base": 2, "changes": [change], "harms": []})
    status, made = post(address, content | {"base": 2, "reason": "The queue is long."})
    assert (status, made["number"], made["note"], made["changes"]) == (201, 3, "The queue is long.", [change])
    status, told = post(address, content | {"base": 2, "reason": "Again"})
    assert (status, told["code"]) == (422, "edit-empty")
    content = {"phases": {"Final": {"max_submissions_per_day": "4"}}}
    status, told = post(address, content | {"base": 2, "reason": "Again"})
    assert (status, told["code"]) == (409, "edit-outdated")
