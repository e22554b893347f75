"""Reads sizes, durations (`8 GiB`, `500 MB`, `30 min`) and bounded numbers."""

import re
from collections.abc import Callable
from typing import TypeVar

from palio.core.bundle.readers import scalar
from palio.core.bundle.values import Refused, Value
from palio.core.bundle.wording import suggestion

T = TypeVar("T")

SIZES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}
DURATIONS_S = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconds": 1,
    "min": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
}
MAX_SIZE_BYTES = 1024**5
MAX_DURATION_S = 30 * 86400
_SIZE_ADVICE = "write a size such as 64 MiB, 8 GiB or 500 MB, or a number of bytes"
DURATION_ADVICE = "write a duration such as 500 s, 30 min or 2 h, or a number of seconds"
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


def parse_size(written: str) -> int:
    """Bytes of `8 GiB`, `64MiB`, `500 MB` or a plain number of bytes. Raises ValueError with a clause."""
    size_bytes = round(_quantity(written, SIZES, "B", _SIZE_ADVICE))
    if not 1 <= size_bytes <= MAX_SIZE_BYTES:
        raise ValueError("is out of range; write a size from 1 B to 1024 TiB")
    return size_bytes


def parse_duration(written: str) -> float:
    """Seconds of `500 s`, `30 min`, `2 h`, `1 d` or a plain number of seconds. Raises ValueError with a clause."""
    seconds = _quantity(written, DURATIONS_S, "s", DURATION_ADVICE)
    if not 0 < seconds <= MAX_DURATION_S:
        raise ValueError("is out of range; write a duration of more than 0 s and at most 30 days")
    return seconds


def size(value: Value) -> int:
    return _read(value, parse_size, _SIZE_ADVICE)


def duration(value: Value) -> float:
    return _read(value, parse_duration, DURATION_ADVICE)


def number(minimum: float, maximum: float) -> Callable[[Value], float]:
    """Reads a decimal number within bounds."""

    def read(value: Value) -> float:
        allowed = f"write a number from {minimum:g} to {maximum:g}"
        written = scalar(value, allowed)
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", written):
            raise Refused(f"{value.found}; {allowed}")
        if not minimum <= float(written) <= maximum:
            raise Refused(f"{value.found}, which is out of range; {allowed}")
        return float(written)

    return read


def _read(value: Value, parse: Callable[[str], T], advice: str) -> T:
    written = scalar(value, advice)
    try:
        return parse(written)
    except ValueError as refusal:
        raise Refused(f"{value.found}, which {refusal}") from None


def _quantity(written: str, units: dict[str, int], default_unit: str, advice: str) -> float:
    match = _QUANTITY.fullmatch(written)
    if not match:
        raise ValueError(f"is not valid; {advice}")
    unit = match[2] or default_unit
    if unit not in units:
        raise ValueError(f"has the unknown unit {unit}; {advice}{suggestion(unit, units)}")
    return float(match[1]) * units[unit]
