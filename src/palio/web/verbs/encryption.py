"""Secrets that the platform has to read again, encrypted with keys that follow from its own secret.

The database does not have that secret, so a copy of the database gives none of them away. Each purpose has a key
of its own.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SecretUnreadableError(Exception):
    """The platform's secret has changed since."""


def encrypted(secret: str, purpose: str) -> str:
    return _cipher(purpose).encrypt(secret.encode()).decode()


def decrypted(stored: str, purpose: str) -> str:
    """Raises SecretUnreadableError."""
    try:
        return _cipher(purpose).decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadableError from error


def _cipher(purpose: str) -> Fernet:
    key = hashlib.sha256(f"palio {purpose}\0{settings.SECRET_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
