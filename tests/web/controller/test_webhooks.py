"""Sending events: signed, to the checked address only, retried, and never for longer than allowed."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from tests.web.world import World

from palio.web.controller import webhooks as sending
from palio.web.controller.webhooks import send_webhooks
from palio.web.http.public_address import UnfitAddressError, public_addresses
from palio.web.models import Webhook, WebhookDelivery
from palio.web.verbs.webhook_secrets import encrypted, new_secret, signature
from palio.web.verbs.webhooks import SCORED, send_test

pytestmark = pytest.mark.django_db
SECRET = new_secret()


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets and answers with `status` after `wait_s`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.drips, self.got = 204, False, list[tuple[str, dict[str, str], bytes]]()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
        if self.server.drips:
            for byte in b"HTTP/1.1 200 OK\r\n" * 1000:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def webhook(world: World, receiver: Receiver, settings: Any) -> Webhook:
    """At hook.example, which is this machine."""
    settings.CONFIGURATION = replace(settings.CONFIGURATION, webhook_http=True)
    return Webhook.objects.create(
        challenge=world.challenge,
        url=f"http://hook.example:{receiver.port}/in?x=1",
        events=[SCORED],
        secret=encrypted(SECRET),
        created_by=world.alice,
    )


def here(host: str, port: int) -> list[str]:
    assert host == "hook.example"
    return ["127.0.0.1"]


def again() -> WebhookDelivery:
    """The only delivery, after all that is due was sent."""
    WebhookDelivery.objects.update(due=timezone.now())
    send_webhooks(here)
    return WebhookDelivery.objects.get()


def test_event_signed(webhook: Webhook, receiver: Receiver) -> None:
    send_test(webhook)
    delivery = again()
    assert (delivery.state, delivery.status, delivery.error) == ("sent", 204, "")
    ((path, headers, body),) = receiver.got
    assert path == "/in?x=1"
    assert headers["host"] == f"hook.example:{receiver.port}"
    assert headers["webhook-id"] == f"msg_{delivery.pk}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    when = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], when, body)
    assert json.loads(body)["type"] == "webhook.test"
    again()
    assert len(receiver.got) == 1


def test_failure_retried_under_the_same_id(webhook: Webhook, receiver: Receiver) -> None:
    receiver.status = 500
    send_test(webhook)
    delivery = again()
    assert (delivery.state, delivery.status, delivery.failures) == ("waiting", 500, 1)
    assert delivery.due > timezone.now() + timedelta(seconds=50)
    assert delivery.error == "The response was 500; any status from 200 to 299 accepts an event."
    receiver.status = 200
    assert again().state == "sent"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1


def test_given_up_after_three_days(webhook: Webhook, receiver: Receiver) -> None:
    receiver.status = 404
    send_test(webhook)
    WebhookDelivery.objects.update(created=timezone.now() - timedelta(days=3, minutes=1))
    assert again().state == "failed"


def test_redirect_not_followed(webhook: Webhook, receiver: Receiver) -> None:
    receiver.status = 302
    send_test(webhook)
    assert "a redirect (302), which is not followed" in again().error
    assert len(receiver.got) == 1


def test_address_checked_when_connecting(webhook: Webhook, receiver: Receiver) -> None:
    """The name was public when it was saved; now it is this machine."""
    send_test(webhook)
    send_webhooks(lambda host, port: public_addresses(host, port, lambda *_: ["127.0.0.1"]))
    assert "private, local or reserved address" in WebhookDelivery.objects.get().error
    assert receiver.got == []


def test_name_resolved_once(webhook: Webhook, receiver: Receiver) -> None:
    """The connection goes to the address that was checked: the name itself, hook.example, leads nowhere."""
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    send_test(webhook)
    send_webhooks(resolve)
    assert (WebhookDelivery.objects.get().state, asked) == ("sent", ["hook.example"])


def test_http_no_longer_allowed(webhook: Webhook, receiver: Receiver, settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, webhook_http=False)
    send_test(webhook)
    assert "must start with https://" in again().error
    assert receiver.got == []


def test_dripping_response_cut(webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_S", 0.5)
    receiver.drips = True
    send_test(webhook)
    begin = time.monotonic()
    assert again().state == "waiting"
    assert time.monotonic() - begin < 20


def test_nobody_listens(webhook: Webhook) -> None:
    webhook.url = "http://hook.example:1/"
    webhook.save()
    send_test(webhook)
    assert again().error == "The connection was refused."


def test_interrupted_sent_again(webhook: Webhook, receiver: Receiver) -> None:
    """By a controller that was killed while it sent."""
    send_test(webhook)
    WebhookDelivery.objects.update(leased_until=timezone.now() + timedelta(minutes=1))
    assert again().state == "waiting"  # it may be alive
    WebhookDelivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert again().state == "sent"


def test_secret_unreadable(webhook: Webhook, receiver: Receiver, settings: Any) -> None:
    settings.SECRET_KEY = "x" * 60
    send_test(webhook)
    delivery = again()
    assert (delivery.state, delivery.error) == ("failed", "The secret cannot be read any more. Rotate it.")


def test_unresolved_name_retried(webhook: Webhook) -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise UnfitAddressError("has a host name that cannot be resolved")

    send_test(webhook)
    send_webhooks(nothing)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.error) == ("waiting", "The URL has a host name that cannot be resolved.")


def test_certificate_checked(webhook: Webhook, receiver: Receiver, tmp_path: Path) -> None:
    """The server proves a name that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path, "hook.example"))
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True, do_handshake_on_connect=False)
    webhook.url = f"https://hook.example:{receiver.port}/"
    webhook.save()
    send_test(webhook)
    assert again().error.startswith("The certificate is not valid: self")
    assert receiver.got == []


def test_log_keeps_the_last(webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "KEPT_PER_WEBHOOK", 2)
    for _ in range(4):
        send_test(webhook)
        send_webhooks(here)
    assert WebhookDelivery.objects.count() == 2
    assert len(receiver.got) == 4


def self_signed(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
