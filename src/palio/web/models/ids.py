"""Public IDs: short, lower case, and hard to guess."""

import base64
import secrets

LENGTH = 16  # characters of base 32: 80 random bits


def new_id() -> str:
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()
