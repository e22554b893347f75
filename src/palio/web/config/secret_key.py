"""The key that signs sessions and links: generated at the first start, readable only by the platform's user."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

FILE = "session-secret"


def read_secret(folder: Path) -> str:
    """Returns the secret in `folder`, creating both if needed. Processes that start at once get the same one."""
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{FILE}.{secrets.token_hex(4)}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(descriptor)  # a loss of power must not leave an empty file
        with suppress(FileExistsError):
            os.link(part, path)  # unlike a rename, a link replaces nothing
        part.unlink()
    return path.read_text()
