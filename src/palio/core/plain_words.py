"""Text that is safe as an argument, an environment variable or part of a framed stream.

Covered: NUL, which ends an argument; newlines and other control characters, which end a line or control a terminal;
surrogates, which cannot be encoded; and Unicode line separators, at which some readers break lines. Not covered: what a
word means to the program that receives it, such as a path to somewhere else.
"""

import re
from typing import Self

# A tab is text. C0 and C1 controls (with DEL, NEL), line and paragraph separators and surrogates are not.
_UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAMED = {
    "\0": "NUL",
    "\n": "a newline",
    "\r": "a carriage return",
    "\u2028": "a line separator",
    "\u2029": "a paragraph separator",
}
MOST_CHARACTERS = 65_536
_MOST_BYTES = 131_071  # Linux limits an argument to 128 KiB, including the NUL at its end


class UnfitWordError(ValueError):
    """Why a text is not a plain word: a clause such as "it contains NUL (U+0000)"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PlainWord(str):
    """A text without control characters, surrogates or line ends, short enough for an argument. May be empty."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if type(text) is cls:
            return text
        if found := _UNFIT.search(text):
            raise UnfitWordError(f"it contains {_described(found[0])}")
        if len(text) > MOST_CHARACTERS:
            raise UnfitWordError(f"it has {len(text):,} characters; at most {MOST_CHARACTERS:,} are allowed")
        if (size := len(text.encode())) > _MOST_BYTES:
            raise UnfitWordError(f"it has {size:,} bytes; at most {_MOST_BYTES:,} are allowed")
        return super().__new__(cls, text)


class PlainName(PlainWord):
    """The name of a variable: not empty and without `=`, which would end it."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not text:
            raise UnfitWordError("it is empty")
        if "=" in text:
            raise UnfitWordError("it contains `=`, which ends a name")
        return super().__new__(cls, text)


def _described(character: str) -> str:
    number = f"U+{ord(character):04X}"
    if "\ud800" <= character <= "\udfff":
        return f"half of a character (the surrogate {number})"
    return f"{_NAMED.get(character, 'a control character')} ({number})"
