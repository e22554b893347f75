"""Sends events to webhooks, signed as Standard Webhooks says, each to the address that was checked.

The name is resolved once and the connection goes to that address, with the certificate of the name. No redirect is
followed, no proxy of the environment is used, of the response only the status is read, and all together has a time
limit. What a lease of a dead controller interrupted is sent again under the same `webhook-id`.
"""

import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings

from palio import __version__
from palio.web.controller.outgoing import due, interrupted, note_failure, note_sent, take
from palio.web.http.public_address import Target, UnfitAddressError, public_addresses, read_url
from palio.web.models import WebhookDelivery
from palio.web.verbs.encryption import SecretUnreadableError
from palio.web.verbs.webhook_secrets import decrypted, signature

LOOK_S = 2.0
AT_A_TIME, AT_ONCE = 64, 8
CONNECT_S, WHOLE_S = 5.0, 15.0
KEPT_PER_WEBHOOK = 50

log = logging.getLogger("palio.controller")
Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Answer:
    """`error` is empty if the event was accepted."""

    error: str
    status: int | None = None
    is_final: bool = False


def send_webhooks(resolve: Resolve = public_addresses) -> float:
    """Send what is due; returns how many seconds to wait for the next time. Another `resolve` is for tests."""
    interrupted(WebhookDelivery).update(leased_until=None)
    waiting = [*due(WebhookDelivery, AT_A_TIME).select_related("webhook")]
    taken = [delivery for delivery in waiting if take(delivery)]
    if taken:
        with ThreadPoolExecutor(AT_ONCE, "palio-webhook") as pool:
            for delivery, (answer, took_s) in zip(
                taken, pool.map(lambda each: _timed(each, resolve), taken), strict=True
            ):
                _note(delivery, answer, took_s)
        for webhook in {delivery.webhook_id for delivery in taken}:
            _forget_old(webhook)
    return LOOK_S if len(waiting) < AT_A_TIME else 0.0


def _timed(delivery: WebhookDelivery, resolve: Resolve) -> tuple[Answer, float]:
    begin = time.monotonic()
    return deliver(delivery, resolve), time.monotonic() - begin


def deliver(delivery: WebhookDelivery, resolve: Resolve = public_addresses) -> Answer:
    """Sends one event."""
    webhook = delivery.webhook
    try:
        target = read_url(webhook.url, allow_http=settings.CONFIGURATION.webhook_http)
        address = resolve(target.host, target.port)[0]
        secret = decrypted(webhook.secret)
    except UnfitAddressError as error:
        return Answer(f"The URL {error}.")
    except SecretUnreadableError:
        return Answer("The secret cannot be read any more. Rotate it.", is_final=True)
    body, now = delivery.body.encode(), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Palio/{__version__}",
        "webhook-id": f"msg_{delivery.pk}",
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret, f"msg_{delivery.pk}", now, body),
    }
    try:
        status = _post(target, address, body, headers)
    except (OSError, http.client.HTTPException) as error:
        return Answer(_reason(error))
    if 200 <= status < 300:
        return Answer("", status)
    if 300 <= status < 400:
        return Answer(f"The response was a redirect ({status}), which is not followed. Enter the final URL.", status)
    return Answer(f"The response was {status}; any status from 200 to 299 accepts an event.", status)


class _Connection(http.client.HTTPConnection):
    """To one address, whatever the name resolves to now."""

    def __init__(self, target: Target, address: str) -> None:
        super().__init__(target.host, target.port, timeout=CONNECT_S)
        self.default_port = 443 if target.scheme == "https" else 80  # left out of the header Host
        self._target, self._address = target, address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._target.port), CONNECT_S)
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            wrapped = context.wrap_socket(self.sock, server_hostname=self._target.host, do_handshake_on_connect=False)
            self.sock = wrapped  # before the handshake, so that it can be ended
            wrapped.do_handshake()

    def cut(self) -> None:
        """End it from another thread."""
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("The connection to a webhook was already closed")


def _post(target: Target, address: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the response."""
    connection = _Connection(target, address)
    watch = threading.Timer(WHOLE_S, connection.cut)  # a server that sends a byte at a time never exceeds a time-out
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", target.path, body, headers)
        return connection.getresponse().status
    finally:
        watch.cancel()
        connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not valid: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "The TLS handshake failed."
    if isinstance(error, TimeoutError):
        return f"There was no response within {CONNECT_S:.0f} seconds."
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, http.client.HTTPException):
        return "The response is not HTTP, or the connection was closed before it."
    return "The connection failed."


def _note(delivery: WebhookDelivery, answer: Answer, took_s: float) -> None:
    more = {"status": answer.status, "took_ms": round(took_s * 1000)}
    if answer.error:
        note_failure(delivery, answer.error, is_final=answer.is_final, **more)
    else:
        note_sent(delivery, **more)


def _forget_old(webhook: str) -> None:
    ended = WebhookDelivery.objects.filter(webhook=webhook).exclude(state=WebhookDelivery.State.WAITING)
    old = ended.order_by("-created").values_list("pk", flat=True)[KEPT_PER_WEBHOOK:]
    WebhookDelivery.objects.filter(pk__in=[*old]).delete()
