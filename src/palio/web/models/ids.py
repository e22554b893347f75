"""Names of things that are seen from outside: short, lower case, and not to be guessed."""

import base64
import secrets

LENGTH = 16  # characters of base 32: 80 random bits


def new_id() -> str:
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()
