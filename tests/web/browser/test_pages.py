"""Every page in a real browser: nothing serious for axe, nothing on the console, no wider than a phone."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from tests.web.browser.looking import NARROW, context, look
from tests.web.browser.places import make_platform, places

from palio.core.attempt.states import State
from palio.web.models import User

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


def test_pages_in_all_themes_and_widths(
    chromium: "Browser", live_server: "LiveServer", tmp_path: Path, settings: Any
) -> None:
    settings.STYLEGUIDE = True
    problems = []
    with ExitStack() as stack:
        opened: dict[User | None, BrowserContext] = {}
        for place in places(make_platform(tmp_path)):
            if place.user not in opened:
                opened[place.user] = stack.enter_context(context(chromium, live_server.url, place.user))
            seen = look(opened[place.user], place)
            found = seen.axe()
            seen.page.emulate_media(color_scheme="dark")
            found += [f"in the dark: {problem}" for problem in seen.axe(colours_alone=True)]
            seen.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
            found += [f"wider than {NARROW[0]} pixels"] if seen.is_wider_than_the_window() else []
            problems += [f"{place.name}: {problem}" for problem in [*found, *seen.problems]]
            seen.page.close()
    assert "\n".join(problems) == ""


def test_running_submission_refreshes(chromium: "Browser", live_server: "LiveServer", tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    attempt = platform.running.attempts.get()
    place = next(place for place in places(platform) if place.name == "submission-running")
    with context(chromium, live_server.url, place.user) as opened:
        seen = look(opened, place)
        attempt.state, attempt.moved = State.SCORE, timezone.now()
        attempt.save()
        seen.page.wait_for_selector(".stages .now >> text=score", timeout=10_000)
        assert seen.page.inner_text("#said") == "Scoring the predictions."
        attempt.state, attempt.finished = State.SCORED, timezone.now()
        attempt.scores = {"precision": 1, "recall": 1, "f1": 1}
        attempt.save()
        seen.page.wait_for_selector("#scores", timeout=10_000)
        assert seen.page.inner_text("#state") == "scored"
        assert seen.page.locator("[hx-trigger]#live").count() == 0
        assert seen.problems == []


def test_cancel_asks_for_confirmation(chromium: "Browser", live_server: "LiveServer", tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    place = next(place for place in places(platform) if place.name == "submission-queued")
    with context(chromium, live_server.url, place.user) as opened:
        seen = look(opened, place)
        seen.page.click("text=Cancel")
        seen.page.click("dialog >> text=Go back")
        assert platform.queued.attempts.get().state == State.QUEUED
        seen.page.click("#doing >> text=Cancel")
        seen.page.click("dialog >> text=Cancel submission")
        seen.page.wait_for_selector("#state.cancelled", timeout=10_000)
        assert platform.queued.attempts.get().state == State.CANCELLED
        assert seen.problems == []
