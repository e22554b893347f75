"""An organizer at the desk, in a real browser: compares both boards and applies the new one, disqualifies, approves."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.browser.looking import Look, context, look
from tests.web.browser.places import Place, make_platform, places

from palio.web.models import Registration, Rescore

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


def press(seen: Look, button: str, sure: str) -> str:
    """Presses it, says yes, and gives what the page then tells."""
    seen.page.get_by_role("button", name=button, exact=True).click()
    seen.page.locator("dialog").get_by_role("button", name=sure, exact=True).click()
    return seen.page.locator(".message[role=status]").first.inner_text()


def test_rescore_walk(chromium: "Browser", live_server: "LiveServer", tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    alice = platform.world.alice
    by_name = {place.name: place for place in places(platform)}
    with context(chromium, live_server.url, alice) as opened:
        seen = look(opened, by_name["dashboard"])
        seen.page.get_by_role("link", name="Compare the leaderboards").click()
        seen.page.wait_for_load_state()
        moves = seen.page.locator("section[aria-labelledby=comparison] tbody tr")
        assert moves.count() > 5
        assert press(seen, "Apply", "Apply") == "New scores applied."
        assert seen.page.locator("h2 .badge").inner_text() == "applied"
        assert Rescore.objects.get().state == "applied"
        seen = look(opened, by_name["submission-organizer"])
        seen.page.fill("#reason", "Trained on the test set")
        assert press(seen, "Disqualify", "Disqualify") == "The submission is disqualified and has no rank."
        assert "Trained on the test set" in seen.page.inner_text("main")
        seen = look(opened, by_name["participants"])
        seen.page.get_by_label("Select olga").check()
        seen.page.locator("section[aria-labelledby=pending]").get_by_role("button", name="Approve").click()
        assert seen.page.locator(".message[role=status]").first.inner_text() == "1 join request approved."
        assert (
            Registration.objects.get(challenge=platform.world.challenge, user=platform.world.olga).state == "approved"
        )
        assert seen.problems == []


def test_dashboard_queue_refreshes(chromium: "Browser", live_server: "LiveServer", tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    place = Place("dashboard", f"/c/{platform.world.challenge.slug}/manage/", platform.world.vera, "#disk dl")
    with context(chromium, live_server.url, place.user) as opened:
        seen = look(opened, place)
        assert seen.page.locator("#queue .badge.predict").count() == 1
        platform.running.attempts.update(state="score")
        seen.page.wait_for_selector("#queue .badge.score", timeout=15_000)
        assert seen.problems == []
