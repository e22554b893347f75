"""Colors of pages: contrast as in WCAG 2, and the nearest shade that can be read."""

import re

# The least favorable backgrounds of text in the accent color; a test compares them with the style sheet.
LIGHT_PAPER, DARK_PAPER = "#f4f4f5", "#26272b"
READABLE = 4.5  # contrast of text, WCAG 2 level AA
_STEPS = 100


def is_color(written: str) -> bool:
    return re.fullmatch(r"#[0-9a-fA-F]{6}", written) is not None


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable_on(paper: str, color: str) -> str:
    """The color itself if text in it can be read on that paper, else the nearest mix with black or white."""
    towards = 0 if _luminance(paper) > 0.5 else 255
    mixes = (_mix(color, towards, step / _STEPS) for step in range(_STEPS + 1))
    return next(mix for mix in mixes if contrast(mix, paper) >= READABLE)


def text_on(color: str) -> str:
    """White or near-black, whichever is easier to read on the color."""
    return max("#ffffff", "#111113", key=lambda text: contrast(text, color))


def _channels(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))


def _mix(color: str, towards: int, share: float) -> str:
    return "#" + bytes(round(each + (towards - each) * share) for each in _channels(color)).hex()


def _luminance(color: str) -> float:
    parts = [each / 255 for each in _channels(color)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
