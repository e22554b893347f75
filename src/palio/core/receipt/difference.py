"""Compares two JSON values field by field."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

NOTHING = "nothing"  # stands for an absent field or file
_SHOWN = 100  # characters of a value in a sentence


@dataclass(frozen=True)
class Difference:
    """`where` is a file, a folder or a field, such as `result.json: scores.f1`."""

    where: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{_harmless(self.where)}: expected {shown(self.expected)}, found {shown(self.found)}"


def differences(where: str, expected: object, found: object) -> Iterator[Difference]:
    """Yields every field that differs. 1, 1.0 and true differ, unlike in Python."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            inner = f"{where}.{key}" if ": " in where else f"{where}: {key}"
            yield from differences(inner, expected.get(key, NOTHING), found.get(key, NOTHING))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(f"{where}[{index}]", one, other)
    elif json.dumps(expected, sort_keys=True) != json.dumps(found, sort_keys=True):
        yield Difference(where, expected, found)


def shown(value: object) -> str:
    """JSON on one line, shortened if long, and safe for a terminal."""
    text = NOTHING if value == NOTHING else _harmless(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _harmless(text: str) -> str:
    """Makes the text one line, without characters that control a terminal or change the writing direction."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
