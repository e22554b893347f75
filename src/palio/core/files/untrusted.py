"""Reads files written by untrusted programs.

Covered: links are not followed, pipes and devices do not block, and no more than the limit is read, whatever size the
file claims. Not covered: links among the parent folders; collected output contains none.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO


class UnreadableFileError(Exception):
    """The file exists but cannot be used. The text follows its name, as in `is a link`."""


def read_untrusted(path: Path, limit_bytes: int, encoding: str = "utf-8-sig") -> str:
    """Returns the text of a regular UTF-8 file of at most `limit_bytes`, without its byte order mark (unless "utf-8").

    Raises FileNotFoundError if nothing is there, and UnreadableFileError if it is not such a file.
    """
    with open_untrusted(path) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise UnreadableFileError(f"is larger than {limit_bytes:,} bytes")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"is not UTF-8 text (at byte {error.start + 1:,})") from error


def open_untrusted(path: Path) -> BinaryIO:
    """Opens a regular file for reading. Raises as `read_untrusted` does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = (
            "is a link, and links are not followed" if path.is_symlink() else f"cannot be opened ({error.strerror})"
        )
        raise UnreadableFileError(reason) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFileError("is not a regular file")
    return os.fdopen(descriptor, "rb")
