"""Reads a text file that somebody else's program wrote.

Covered: links are not followed, pipes and devices are not waited for, and no more than the limit is read, whatever
size the file claims. Not covered: links among the folders above the file; collecting an output takes none.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO


class UnreadableFileError(Exception):
    """The file is there and says nothing that can be used; the text goes on after its name, as in `is a link`."""


def read_untrusted(path: Path, limit_bytes: int, encoding: str = "utf-8-sig") -> str:
    """The text of a regular UTF-8 file of at most `limit_bytes`, without a byte order mark unless read as "utf-8".

    Raises FileNotFoundError where nothing is, UnreadableFileError for all else that is not such a file.
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
    """A regular file, to be read; raises as `read_untrusted` does."""
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
