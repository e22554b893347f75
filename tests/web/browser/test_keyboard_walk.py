"""Submit and the dashboard by keyboard: only Tab, Enter, Space and letters, with the focus always in sight."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.run_folders import CASES, CLASSES
from tests.web.browser.looking import context, look
from tests.web.browser.places import Place, Platform, make_platform
from tests.web.world import World

from palio.web.models import Registration, Submission, User

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)
MOST_TABS = 150
# What has the focus. It is in sight if it has a size, is in the window, and has an outline of its own.
_FOCUSED = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
  const text = (at.getAttribute("aria-label") || at.textContent).trim();
  const shown = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && style.opacity !== "0";
  return {
    text, id: at.id, tag: at.tagName, name: at === document.body ? "" : `${at.tagName} ${at.id} ${text}`,
    seen: shown && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
  };
}"""


def tab_to(page: "Page", fits: Callable[[dict[str, Any]], bool]) -> None:
    """Presses Tab until the focus is there. Fails if it is out of sight on the way, or stays where it is."""
    before = page.evaluate(_FOCUSED)
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        now = page.evaluate(_FOCUSED)
        if not now["name"]:  # once around, by way of the browser's own buttons
            continue
        assert now["seen"], f"The focus is out of sight at {now['name']}"
        assert now != before or now["tag"] == "INPUT", f"The focus is trapped at {now['name']}"
        if fits(now):
            return
        before = now
    pytest.fail("Tab never leads there")


def button(text: str) -> Callable[[dict[str, Any]], bool]:
    return lambda at: at["tag"] == "BUTTON" and at["text"] == text


def enter(page: "Page", text: str) -> None:
    tab_to(page, button(text))
    page.keyboard.press("Enter")
    page.wait_for_load_state()


@pytest.fixture
def platform(live_server: "LiveServer", tmp_path: Path) -> Platform:
    return make_platform(tmp_path)


def test_submit(chromium: "Browser", live_server: "LiveServer", platform: Platform, tmp_path: Path) -> None:
    slug, carol = platform.world.challenge.slug, platform.world.carol
    predictions = tmp_path / "classification_results.csv"
    rows = [f"{case:06}.jpg,{CLASSES[case % len(CLASSES)]}" for case in range(CASES)]
    predictions.write_text("\n".join(["file,class", *rows]))
    with context(chromium, live_server.url, carol) as opened:
        seen = look(opened, Place("submit", f"/c/{slug}/submit/", carol))
        tab_to(seen.page, lambda at: at["id"] == "file")
        with seen.page.expect_file_chooser() as chooser:
            seen.page.keyboard.press("Enter")
        chooser.value.set_files(predictions)
        tab_to(seen.page, lambda at: at["id"] == "note")
        seen.page.keyboard.type("by keyboard")
        tab_to(seen.page, lambda at: at["id"] == "submit-file")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url("**/s/*/", timeout=60_000)
        assert Submission.objects.filter(team=platform.world.rivals).latest("created").note == "by keyboard"
        assert seen.problems == []


def test_join_requests(chromium: "Browser", live_server: "LiveServer", platform: Platform) -> None:
    world = platform.world
    Registration.objects.create(challenge=world.challenge, user=world.dave)
    with context(chromium, live_server.url, world.alice) as opened:
        seen = look(opened, Place("participants", f"/c/{world.challenge.slug}/manage/participants/", world.alice))
        tab_to(seen.page, lambda at: at["text"] == "Select olga")
        seen.page.keyboard.press("Space")
        enter(seen.page, "Approve")
        seen.page.wait_for_selector(".message[role=status]")
        tab_to(seen.page, lambda at: at["text"] == "Select dave")
        seen.page.keyboard.press("Space")
        enter(seen.page, "Refuse")
        seen.page.wait_for_selector("dialog[open]")
        enter(seen.page, "Refuse")  # in the dialog, which has the focus
        seen.page.wait_for_selector(".message[role=status]")
        assert seen.problems == []
    assert state(platform, world.olga) == "approved"
    assert state(platform, world.dave) == "refused"


def test_edit_date(chromium: "Browser", live_server: "LiveServer", world: World) -> None:
    with context(chromium, live_server.url, world.alice) as opened:
        seen = look(opened, Place("edit", "/c/mednist/manage/edit/", world.alice))
        tab_to(seen.page, lambda at: at["id"] == "phase-0-end")
        seen.page.keyboard.type("2031-05-01 10:00 UTC")
        enter(seen.page, "Review changes")
        seen.page.wait_for_selector("#review")
        assert "2031-05-01 10:00 UTC" in seen.page.inner_text("#review")
        assert seen.problems == []


def state(platform: Platform, user: User) -> str:
    return Registration.objects.get(challenge=platform.world.challenge, user=user).state
