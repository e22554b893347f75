"""The page of webhooks and the API: secrets are shown once, and only to whom a webhook belongs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests.web.world import World

from palio.web.models import Webhook, WebhookDelivery
from palio.web.verbs.webhook_secrets import decrypted

Browser = Callable[..., Client]
URL = "https://8.8.8.8/palio"  # an address needs no resolver


@pytest.mark.parametrize(
    ("who", "path"), [("alice", "/c/mednist/settings/webhooks/"), ("bob", "/teams/{team}/webhooks/")]
)
def test_page(world: World, browser: Browser, who: str, path: str) -> None:
    client, path = browser(getattr(world, who)), path.format(team=world.team.pk)
    page = client.post(f"{path}new/", {"url": URL, "events": ["submission.scored"]})
    made = Webhook.objects.get()
    secret = decrypted(made.secret)
    assert page.text.count(secret) == 1
    assert "no-store" in page["Cache-Control"]
    assert secret not in client.get(path).text
    client.post(f"{path}{made.pk}/test/")
    assert "Not sent yet." in client.get(path).text
    WebhookDelivery.objects.update(state="failed", status=500, error="The response was 500.")
    assert "The response was 500." in client.get(path).text
    rotated = client.post(f"{path}{made.pk}/rotate/").text
    made.refresh_from_db()
    assert decrypted(made.secret) in rotated != secret
    client.post(f"{path}{made.pk}/change/", {"url": f"{URL}/2", "events": ["submission.failed"]})
    made.refresh_from_db()
    assert (made.url, made.events) == (f"{URL}/2", ["submission.failed"])
    client.post(f"{path}{made.pk}/delete/")
    assert not Webhook.objects.exists()


def test_refused_url_says_why(world: World, browser: Browser) -> None:
    page = browser(world.alice).post("/c/mednist/settings/webhooks/new/", {"url": "ftp://x/", "events": ["x"]})
    assert "must start with https://" in page.text
    assert not Webhook.objects.exists()


def test_organizer_not_at_team_webhook(world: World, browser: Browser) -> None:
    """Not even by an address of the challenge."""
    browser(world.bob).post(f"/teams/{world.team.pk}/webhooks/new/", {"url": URL, "events": ["submission.scored"]})
    made = Webhook.objects.get()
    alice = browser(world.alice)
    assert alice.post(f"/c/mednist/settings/webhooks/{made.pk}/rotate/").status_code == 404
    assert alice.delete(f"/api/v1/challenges/mednist/webhooks/{made.pk}").status_code == 404
    assert alice.get(f"/teams/{world.team.pk}/webhooks/").status_code == 404
    assert URL not in alice.get("/c/mednist/settings/webhooks/").text


def test_api(world: World, browser: Browser) -> None:
    bob, where = browser(world.bob), f"/api/v1/teams/{world.team.pk}/webhooks"
    given: dict[str, Any] = {"url": URL, "events": ["submission.scored"]}
    made = bob.post(where, given, "application/json").json()
    assert made["secret"].startswith("whsec_")
    assert bob.post(f"{where}/{made['id']}/test").status_code == 202
    (listed,) = bob.get(where).json()
    assert "secret" not in listed
    assert [each["event"] for each in listed["deliveries"]] == ["webhook.test"]
    assert bob.post(f"{where}/{made['id']}/secret").json()["secret"] != made["secret"]
    changed = bob.patch(f"{where}/{made['id']}", {"events": ["submission.failed"]}, "application/json").json()
    assert (changed["url"], changed["events"]) == (URL, ["submission.failed"])
    assert bob.delete(f"{where}/{made['id']}").status_code == 204
    refused = bob.post(where, given | {"url": "https://user@x/"}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "webhook-url-refused")
