"""Pages on paper: no navigation, no buttons and no forms; whole tables, with their heads on each sheet."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.browser.looking import context, look
from tests.web.browser.places import make_platform, places

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)
PRINTED = ("leaderboard", "submission-scored", "challenge")
_ON_PAPER = """() => [...document.querySelectorAll("nav, header.site, footer.site, button, .button, input, select")]
  .filter((each) => each.checkVisibility()).map((each) => each.outerHTML.slice(0, 120))"""
_HEADS = "() => [...document.querySelectorAll('.scroll thead')].map((each) => getComputedStyle(each).display)"
_CUT = """() => [...document.querySelectorAll(".scroll, .log")]
  .filter((each) => getComputedStyle(each).overflowX !== "visible").length"""


def test_printed(chromium: "Browser", live_server: "LiveServer", tmp_path: Path) -> None:
    for place in places(make_platform(tmp_path)):
        if place.name not in PRINTED:
            continue
        with context(chromium, live_server.url, place.user) as opened:
            page = look(opened, place).page
            assert page.evaluate(_ON_PAPER)  # on the screen they are there
            page.emulate_media(media="print")
            assert page.evaluate(_ON_PAPER) == [], place.name
            assert set(page.evaluate(_HEADS)) <= {"table-header-group"}, place.name
            assert page.evaluate(_CUT) == 0, place.name


def test_leaderboard_fits_a_phone(chromium: "Browser", live_server: "LiveServer", tmp_path: Path) -> None:
    """The drawn interval is whole without scrolling."""
    place = next(each for each in places(make_platform(tmp_path)) if each.name == "leaderboard")
    with context(chromium, live_server.url, place.user, size=(375, 720)) as opened:
        page = look(opened, place).page
        inside = """() => {
          const right = document.querySelector(".scroll:has(.leaderboard)").getBoundingClientRect().right;
          return [...document.querySelectorAll(".leaderboard tbody .strip")].map((each) =>
            right - each.getBoundingClientRect().right);
        }"""
        rooms = page.evaluate(inside)
        assert len(rooms) > 5
        assert min(rooms) >= 0
