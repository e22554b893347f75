"""The colors of a log as words. Control characters of logs are stored as visible symbols (core.files.log), so a
sequence starts with U+241B, and nothing of it reaches a terminal or a page as it was written.
"""

import re
from collections.abc import Iterator

_SEQUENCE = re.compile("\u241b\\[([0-9;]{0,40})m")
_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_EXTENDED = {"38", "48"}  # followed by the numbers of a color of their own
_MOST_RUNS = 5000  # the rest of a log is plain


def colored_runs(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Runs of text, each with `bold` and the name of its color, as far as it has them. Backgrounds are ignored."""
    bold, color, at = False, "", 0
    for count, match in enumerate(_SEQUENCE.finditer(text)):
        if match.start() > at:
            yield _style(bold, color), text[at : match.start()]
        at = match.end()
        bold, color = _after(match[1], bold, color)
        if count >= _MOST_RUNS:
            bold, color = False, ""
            break
    if at < len(text):
        yield _style(bold, color), text[at:]


def _style(bold: bool, color: str) -> tuple[str, ...]:
    return (*(("bold",) if bold else ()), *((color,) if color else ()))


def _after(codes: str, bold: bool, color: str) -> tuple[bool, str]:
    parts = (codes or "0").split(";")
    if _EXTENDED & {*parts}:
        return bold, ""
    for part in parts:
        code = int(part or 0)
        if code == 0:
            bold, color = False, ""
        elif code in (1, 22):
            bold = code == 1
        elif 30 <= code <= 37 or 90 <= code <= 97:
            color = _COLORS[code % 10]
        elif code == 39:
            color = ""
    return bold, color
