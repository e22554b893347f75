"""Wording shared by messages about a user's file."""

import difflib
from collections.abc import Iterable

SHOWN_CHARACTERS = 60  # of the value that is quoted in a message


def quoted(written: str) -> str:
    line = " ".join(written.split())
    return f"`{line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + '…'}`"


def nearest(written: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The most similar of the known words, if any is similar."""
    if len(written) > SHOWN_CHARACTERS:  # the comparison is quadratic in the length
        return None
    near = difflib.get_close_matches(written, list(known), n=1, cutoff=cutoff)
    return near[0] if near else None


def suggestion(written: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or an empty text."""
    near = nearest(written, known)
    return f"; did you mean {quoted(near)}?" if near else ""


def joined(parent: str, key: str) -> str:
    return f"{parent}.{key}" if parent else key
