"""The bell, the list and the settings in a browser and in the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests.web.scored_submissions import add_submission, scores
from tests.web.verbs.test_notifications import confirm, mail
from tests.web.world import World

from palio.web.models import Notification, NotificationSettings
from palio.web.verbs import notices

Browser = Callable[..., Client]
__all__ = ["mail"]


@pytest.fixture
def told(world: World) -> World:
    for minute in range(3):
        notices.finished(add_submission(world.team, scores=scores(0.5), minute=minute).attempts.get())
    return world


def test_bell_counts_unread(told: World, browser: Browser) -> None:
    bob = browser(told.bob)
    assert 'aria-label="Notifications, 3 unread"' in bob.get("/").text
    one = Notification.objects.filter(user=told.bob)[0]
    bob.post("/notifications/read/", {"notification": one.pk})
    assert 'aria-label="Notifications, 2 unread"' in bob.get("/").text
    bob.post("/notifications/read/")
    assert 'aria-label="Notifications"' in bob.get("/").text
    assert Notification.objects.filter(user=told.bea, read=None).count() == 3
    assert "bell" not in browser().get("/").text


def test_bell_stops_counting(told: World, browser: Browser) -> None:
    row = {"user": told.bob, "challenge": told.challenge, "kind": "scored", "text": "x", "path": "/"}
    Notification.objects.bulk_create(Notification(key=str(number), **row) for number in range(120))
    assert "99+ unread" in browser(told.bob).get("/").text


def test_list_newest_first_and_unread(told: World, browser: Browser) -> None:
    bob = browser(told.bob)
    text = bob.get("/notifications/").text
    assert text.index("blobs-2.zip") < text.index("blobs-0.zip")
    Notification.objects.filter(text__contains="blobs-2").update(read="2026-03-01T12:00Z")
    assert "blobs-2.zip" not in bob.get("/notifications/?show=unread").text
    assert "No notifications yet" in browser(told.carol).get("/notifications/").text


def test_list_escapes_names(world: World, browser: Browser) -> None:
    submission = add_submission(world.team, scores=scores(0.5))
    submission.file.name = "<script>alert(1)</script>.zip"
    notices.finished(submission.attempts.get())
    Notification.objects.update(text="<script>alert(1)</script>")
    assert "<script>alert" not in browser(world.bob).get("/notifications/").text


def test_settings_form_without_mail_keeps_mail_choice(world: World, browser: Browser) -> None:
    NotificationSettings.objects.create(user=world.bob, off=["failed/mail"])
    bob = browser(world.bob)
    assert "sends no e-mail" in bob.get("/notifications/settings/").text
    bob.post("/notifications/settings/save/", {"on": ["scored/page", "failed/page"]})
    assert NotificationSettings.objects.get().off == [
        "failed/mail",
        *(f"{kind}/page" for kind in ("rescored", "judged", "decision", "announcement", "message", "deadline")),
    ]


def test_settings_form_with_mail(world: World, browser: Browser, mail: Any) -> None:
    confirm(world.alice)
    alice = browser(world.alice)
    assert "alice@example.org" in alice.get("/notifications/settings/").text
    alice.post("/notifications/settings/save/", {"on": ["scored/page"], "digest": "weekly"})
    found = NotificationSettings.objects.get()
    assert (found.digest, "scored/mail" in found.off, "scored/page" in found.off) == ("weekly", True, False)


def test_api(told: World, browser: Browser) -> None:
    bob = browser(told.bob)
    page = bob.get("/api/v1/notifications?unread=true&limit=2").json()
    assert (page["count"], len(page["items"])) == (3, 2)
    assert page["items"][0]["challenge"] == "mednist"
    ids = [page["items"][0]["id"]]
    assert bob.post("/api/v1/notifications/read", {"ids": ids}, "application/json").json() == {"marked": 1}
    assert bob.get("/api/v1/notifications?unread=true").json()["count"] == 2
    where = "/api/v1/notifications/settings"
    changed = bob.patch(where, {"kinds": {"deadline": {"mail": False}}}, "application/json").json()
    assert changed["kinds"]["deadline"] == {"page": True, "mail": False}
    changed = bob.patch(where, {"kinds": {"deadline": {"mail": True}}, "digest": "daily"}, "application/json").json()
    assert (changed["kinds"]["deadline"]["mail"], changed["digest"]) == (True, "daily")
    changed = bob.patch(where, {"language": "fr"}, "application/json").json()
    assert (changed["language"], changed["digest"]) == ("fr", "daily")
    assert bob.patch(where, {"language": "tlh"}, "application/json").json()["code"] == "value-unknown"
    refused = bob.patch(where, {"kinds": {"deadline": {"fax": True}}}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "value-unknown")
