"""Secrets of webhooks, encrypted with a key that follows from the platform's secret, which the database does not have.

In the form of Standard Webhooks: `whsec_` and 24 random bytes in base 64.
"""

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

PREFIX = "whsec_"


class SecretUnreadableError(Exception):
    """The platform's secret has changed since."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def encrypted(secret: str) -> str:
    return _cipher().encrypt(secret.encode()).decode()


def decrypted(stored: str) -> str:
    """Raises SecretUnreadableError."""
    try:
        return _cipher().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadableError from error


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: HMAC-SHA256 over ID, timestamp and body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _cipher() -> Fernet:
    key = hashlib.sha256(b"palio webhooks\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
