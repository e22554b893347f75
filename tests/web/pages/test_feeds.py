"""What feed readers, calendars, other sites and search engines get."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.db import connection
from django.test import Client
from icalendar import Calendar
from tests.bundles import YAML, write_bundle
from tests.web.scored_submissions import add_submission
from tests.web.scored_submissions import publish as publish_unchecked
from tests.web.world import World

from palio.web.models import Announcement, Challenge
from palio.web.verbs.publish import publish

Browser = Callable[..., Client]
ATOM, SVG = "{http://www.w3.org/2005/Atom}", "{http://www.w3.org/2000/svg}"


def test_announcements_feed(world: World, browser: Browser) -> None:
    control = "\x00" if connection.vendor == "sqlite" else "\x01"  # PostgreSQL stores no NUL
    for title, text in (("First", "*One*"), ("Bad \x0c & <b>", f"Two{control}")):
        Announcement.objects.create(challenge=world.challenge, title=title, text=text, author=world.alice)
    answer = browser().get("/c/mednist/announcements.atom")
    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    entries = ET.fromstring(answer.content).findall(f"{ATOM}entry")  # noqa: S314 - our own
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["Bad  & <b>", "First"]
    assert "<em>One</em>" in (entries[1].findtext(f"{ATOM}summary") or "")
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 2


def test_calendar_events(world: World, browser: Browser, tmp_path: Path) -> None:
    changed = YAML.replace("    tasks: [0]\n", "    end: 2026-05-01 12:00 Europe/Berlin\n    tasks: [0]\n", 1)
    publish(write_bundle(tmp_path / "b", yaml=changed), actor=world.alice, slug="mednist")
    answer = browser().get("/c/mednist/phases.ics")
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    events = {str(event["SUMMARY"]): event.start for event in Calendar.from_ical(answer.text).events}
    closes = next(when for name, when in events.items() if name.endswith("closes"))
    assert closes == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert len([name for name in events if name.endswith("opens")]) >= 1
    again = browser().get("/c/mednist/phases.ics").content
    assert again == answer.content, "calendars update events by their UIDs"


def test_calendar_update(world: World, browser: Browser, tmp_path: Path) -> None:
    """A later version moves an end, adds a phase before, and is read at another address of the platform."""
    first = YAML.replace("    tasks: [0]\n", "    end: 2026-05-01 12:00 UTC\n    tasks: [0]\n", 1)
    publish_unchecked(world.challenge, write_bundle(tmp_path / "1", yaml=first))
    before = {str(event["UID"]): event for event in calendar(browser())}
    warm_up = "phases:\n  - {name: Warm-up, start: 2025-01-01, end: 2026-01-01, tasks: [0]}\n"
    later = first.replace("2026-05-01", "2026-06-01").replace("phases:\n", warm_up, 1)
    publish_unchecked(world.challenge, write_bundle(tmp_path / "2", yaml=later))
    client = browser()
    client.defaults["SERVER_NAME"] = "localhost"
    after = {str(event["UID"]): event for event in calendar(client)}
    assert len(after) == 4
    assert before.keys() < after.keys()
    closes = next(uid for uid, event in before.items() if str(event["SUMMARY"]).endswith("closes"))
    assert [before[closes].start.month, after[closes].start.month] == [5, 6]
    assert {event["SEQUENCE"] for event in before.values()} == {1}
    assert {event["SEQUENCE"] for event in after.values()} == {2}
    assert all(event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt for event in after.values())


def calendar(client: Client) -> list[Any]:
    """Its events, once icalendar has accepted the whole file."""
    read = Calendar.from_ical(client.get("/c/mednist/phases.ics").text)
    assert (read["METHOD"], read["VERSION"]) == ("PUBLISH", "2.0")
    assert not read.errors
    return list(read.events)


def test_leaderboard_picture_first_places(world: World, browser: Browser, settings: Any) -> None:
    settings.FOLDERS.make()
    add_submission(world.team, scores={"accuracy": 0.75})
    answer = browser().get("/c/mednist/leaderboard.svg")
    assert "style-src 'unsafe-inline'" in answer["Content-Security-Policy"]
    drawn = ET.fromstring(answer.content)  # noqa: S314 - our own
    texts = ["".join(text.itertext()) for text in drawn.iter(f"{SVG}text")]
    assert "0.750" in texts
    assert any("1 team" in text for text in texts)


def test_leaderboard_picture_without_hidden(world: World, browser: Browser, tmp_path: Path, settings: Any) -> None:
    settings.FOLDERS.make()
    add_submission(world.team, scores={"accuracy": 0.75})
    hidden = YAML.replace("    tasks: [0]\n", "    tasks: [0]\n    palio: {scores: hidden}\n", 1)
    publish(write_bundle(tmp_path / "b", yaml=hidden), actor=world.alice, slug="mednist", note="Scores are hidden.")
    text = browser().get("/c/mednist/leaderboard.svg").text
    assert "have not published" in text
    assert "0.75" not in text


@pytest.mark.parametrize("page", ["announcements.atom", "phases.ics", "leaderboard.svg"])
def test_feed_of_draft_not_found(world: World, browser: Browser, page: str) -> None:
    assert browser().get(f"/c/draft/{page}").status_code == 404


def test_sitemap_published_only(world: World, browser: Browser) -> None:
    text = browser().get("/sitemap.xml").text
    assert "/c/mednist/</loc>" in text
    assert "/c/draft/" not in text
    Challenge.objects.update(visibility=Challenge.Visibility.DRAFT)
    assert "<loc>" not in browser().get("/sitemap.xml").text


def test_robots_txt(world: World, browser: Browser) -> None:
    lines = browser().get("/robots.txt").text.splitlines()
    assert "Disallow: /c/*/manage/" in lines
    assert lines[-1].endswith("/sitemap.xml")


def test_challenge_metadata_for_other_sites(world: World, browser: Browser) -> None:
    text = browser().get("/c/mednist/").text
    assert f'<meta property="og:title" content="{world.challenge.current.title}">' in text  # type: ignore[union-attr]
    assert re.search(r'property="og:url" content="http://[^/]+/c/mednist/"', text)
    assert re.search(r'property="og:image" content="http://[^/]+/c/mednist/versions/1/files/logo.png"', text)
