"""Secrets of webhooks, in the form of Standard Webhooks: `whsec_` and 24 random bytes in base 64."""

import base64
import hashlib
import hmac
import secrets

from palio.web.verbs import encryption

PREFIX = "whsec_"
_PURPOSE = "webhooks"


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def encrypted(secret: str) -> str:
    return encryption.encrypted(secret, _PURPOSE)


def decrypted(stored: str) -> str:
    """Raises encryption.SecretUnreadableError."""
    return encryption.decrypted(stored, _PURPOSE)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: HMAC-SHA256 over ID, timestamp and body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
