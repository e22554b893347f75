"""What sessions and links are signed with: made at the first start, readable by the platform's user alone."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

FILE = "session-secret"


def read_secret(folder: Path) -> str:
    """The secret in `folder`; the first call makes both. Two processes that start at once get the same one."""
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{FILE}.{secrets.token_hex(4)}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(descriptor)  # so that not even a loss of power leaves an empty one
        with suppress(FileExistsError):
            os.link(part, path)  # unlike a rename, it replaces nothing
        part.unlink()
    return path.read_text()
