"""Webhooks: what is refused when they are saved, and which of them get which event."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from tests.errors import code_of
from tests.web.scored_submissions import add_submission, scores
from tests.web.world import World

from palio.web.models import Announcement, Event, Registration, Team, Webhook, WebhookDelivery
from palio.web.verbs import joining, notices, webhooks
from palio.web.verbs.encryption import SecretUnreadableError
from palio.web.verbs.webhook_secrets import decrypted, encrypted, new_secret, signature

URL = "https://8.8.8.8/palio"  # an address needs no resolver; tests of public_address have names


def make(world: World, team: Team | None, *events: str) -> Webhook:
    chosen = events or webhooks.events_for(team)
    return webhooks.make(world.challenge, team, URL, chosen, actor=world.alice)[0]


def test_secret_shown_once_and_stored_encrypted(world: World) -> None:
    made, secret = webhooks.make(world.challenge, None, f" {URL} ", [webhooks.SCORED], actor=world.alice)
    made.refresh_from_db()
    assert made.url == URL
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 24
    assert secret not in made.secret
    assert decrypted(made.secret) == secret
    other = webhooks.rotate(made, actor=world.alice)
    made.refresh_from_db()
    assert decrypted(made.secret) == other != secret
    kinds = [*Event.objects.filter(kind__startswith="webhook").values_list("kind", flat=True)]
    assert kinds == ["webhook.made", "webhook.secret-rotated"]
    assert not any(secret in json.dumps(event.detail) for event in Event.objects.all())


def test_secret_unreadable_with_another_key(settings: Any) -> None:
    stored = encrypted(new_secret())
    settings.SECRET_KEY = "x" * 60
    with pytest.raises(SecretUnreadableError):
        decrypted(stored)


def test_signature_of_standard_webhooks() -> None:
    """The example of its specification."""
    secret, message, when = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    body = b'{"test": 2432232314}'
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    expected = hmac.new(key, b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body, hashlib.sha256).digest()
    assert signature(secret, message, when, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert base64.b64encode(expected).decode() == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "url",
    ["http://8.8.8.8/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://127.0.0.1/"],
)
def test_url_refused(world: World, url: str) -> None:
    def act() -> object:
        return webhooks.make(world.challenge, None, url, [webhooks.SCORED], actor=world.alice)

    assert code_of(act) == "webhook-url-refused"
    made = make(world, None)
    assert code_of(lambda: webhooks.change(made, url=url, actor=world.alice)) == "webhook-url-refused"
    made.refresh_from_db()
    assert made.url == URL


def test_events_refused(world: World) -> None:
    for team, events, code in (
        (None, [], "webhook-without-events"),
        (None, ["x"], "value-unknown"),
        (world.team, [webhooks.DECIDED], "value-unknown"),  # not a team's business
    ):
        assert code_of(lambda: webhooks.make(world.challenge, team, URL, events, actor=world.bob)) == code  # noqa: B023


def test_five_webhooks_each(world: World) -> None:
    for _ in range(webhooks.MOST):
        make(world, None)
    assert code_of(lambda: make(world, None)) == "webhooks-too-many"
    make(world, world.team)


def test_events_go_to_challenge_and_own_team(world: World) -> None:
    whole, own, others = make(world, None), make(world, world.team), make(world, world.rivals)
    make(world, world.team, webhooks.FAILED)
    submission = add_submission(world.team, scores=scores(0.5))
    notices.finished(submission.attempts.get())
    sent = WebhookDelivery.objects.all()
    assert {delivery.webhook for delivery in sent} == {whole, own}
    content = json.loads(sent[0].body)
    assert content["type"] == "submission.scored"
    assert content["data"]["submission"] == submission.pk
    assert content["data"]["team"] == {"id": world.team.pk, "name": "Blobs"}
    assert "0.5" not in sent[0].body
    WebhookDelivery.objects.all().delete()
    said = Announcement.objects.create(challenge=world.challenge, title="Hello", text="All", author=world.alice)
    notices.announced(said)
    assert {delivery.webhook for delivery in WebhookDelivery.objects.all()} == {whole, own, others}


def test_failure_as_participants_see_it(world: World) -> None:
    make(world, None)
    notices.finished(add_submission(world.team, failure="predict-time-limit").attempts.get())
    data = json.loads(WebhookDelivery.objects.get().body)["data"]
    assert data["failure"]["code"] == "predict-time-limit"
    assert "FULL" not in data["failure"]["message"]


def test_decision_only_to_challenge(world: World) -> None:
    whole = make(world, None)
    make(world, world.team)
    asked = Registration.objects.create(challenge=world.challenge, user=world.dave)
    joining.decide(asked, approve=True, actor=world.alice)
    delivery = WebhookDelivery.objects.get()
    assert delivery.webhook == whole
    assert json.loads(delivery.body)["data"]["user"] == "dave"


def test_one_test_at_a_time(world: World) -> None:
    made = make(world, None)
    webhooks.send_test(made)
    assert code_of(lambda: webhooks.send_test(made)) == "webhook-test-waiting"
    WebhookDelivery.objects.update(state=WebhookDelivery.State.SENT)
    webhooks.send_test(made)
    webhooks.delete(made, actor=world.alice)
    assert not WebhookDelivery.objects.exists()
