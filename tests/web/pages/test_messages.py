"""Private messages in a browser and in the API: preview, send, read."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from tests.web.world import World

from palio.web.models import Message, Notification, Registration
from palio.web.verbs import messages

Browser = Callable[..., Client]
HOSTILE = "**Hi** <script>alert(1)</script> [x](javascript:alert(1)) ![y](https://evil.example/pixel.png)"


def form(**other: str) -> dict[str, str]:
    return {"to": "team", "team": "Blobs", "title": "A <b>title</b>", "text": HOSTILE} | other


def assert_harmless(page: str) -> None:
    assert "<strong>Hi</strong>" in page
    assert "<script>alert" not in page
    assert not re.search(r"href=[\"']?javascript", page)
    assert 'src="https://evil' not in page
    assert "<b>title</b>" not in page


def test_preview_then_send_then_read(world: World, browser: Browser) -> None:
    alice = browser(world.alice)
    preview = alice.post("/c/mednist/manage/messages/preview/", form()).text
    assert_harmless(preview)
    assert "Send to 2 participants" in preview
    assert not Message.objects.exists()
    given = dict(re.findall(r'type="hidden" name="(to|team|title)" value="([^"]*)"', preview))
    assert given == {"to": "team", "team": "Blobs", "title": "A &lt;b&gt;title&lt;/b&gt;"}

    assert alice.post("/c/mednist/manage/messages/send/", form()).status_code == 302
    assert_harmless(alice.get("/c/mednist/manage/messages/").text)
    sent = Message.objects.get()
    bob = browser(world.bob)
    assert f'href="/messages/{sent.pk}/"' in bob.get("/notifications/").text
    assert_harmless(bob.get(f"/messages/{sent.pk}/").text)


def test_edit_after_preview_keeps_content(world: World, browser: Browser) -> None:
    page = browser(world.alice).post("/c/mednist/manage/messages/preview/", form(do="edit")).text
    assert 'value="Blobs"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("action", ["preview", "send"])
def test_refused_form_keeps_content(world: World, browser: Browser, action: str) -> None:
    given = form(team="Nobody")
    answer = browser(world.alice).post(f"/c/mednist/manage/messages/{action}/", given)
    assert answer.status_code == 422
    assert "The challenge has no team “Nobody”." in answer.text
    assert "A &lt;b&gt;title&lt;/b&gt;" in answer.text


def test_read_only_by_receivers_and_managers(world: World, browser: Browser) -> None:
    sent = messages.send(world.challenge, "team", "Blobs", "Hello", "Text", actor=world.alice)
    for user in (world.bob, world.bea, world.alice, world.sam, world.vera, world.ada):
        assert browser(user).get(f"/messages/{sent.pk}/").status_code == 200, user
    for user in (world.carol, world.dave, world.olga):
        assert browser(user).get(f"/messages/{sent.pk}/").status_code == 404, user
    Registration.objects.filter(user=world.bob).update(state="withdrawn")
    assert browser(world.bob).get(f"/messages/{sent.pk}/").status_code == 200  # they got it


def test_api(world: World, browser: Browser) -> None:
    alice, kind = browser(world.alice), "application/json"
    where = "/api/v1/challenges/mednist/manage/messages"
    given = {"to": "not-submitted", "title": "Hello", "text": "Text"}
    assert alice.post(f"{where}/preview", given, kind).json() == {"receivers": 3, "mailed": 0}
    key = {"Idempotency-Key": "once"}
    sent = alice.post(where, given, kind, headers=key)
    assert alice.post(where, given, kind, headers=key).json() == sent.json()
    told = sent.json()
    assert (sent.status_code, told["to"], told["team"], told["receivers"]) == (201, "not-submitted", None, 3)
    assert Notification.objects.count() == 3
    listed = alice.get(where).json()
    assert (listed["count"], listed["items"]) == (1, [told])
    read = browser(world.carol).get(f"/api/v1/messages/{told['id']}").json()
    assert (read["title"], read["text"], "receivers" in read) == ("Hello", "Text", False)


def test_api_limit(world: World, browser: Browser) -> None:
    for _ in range(messages.TO_MANY):
        messages.send(world.challenge, "all", "", "Hello", "Text", actor=world.alice)
    given = {"to": "all", "title": "Hello", "text": "Text"}
    for where in ("messages", "messages/preview"):
        refused = browser(world.alice).post(f"/api/v1/challenges/mednist/manage/{where}", given, "application/json")
        assert (refused.status_code, refused.json()["code"]) == (429, "messages-too-many")
