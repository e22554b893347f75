"""Sizes and durations: what is taken, and what is refused with which words."""

import re

import pytest

from palio.core.bundle.units import parse_duration, parse_size

SIZE_ADVICE = "write a size such as 64 MiB, 8 GiB or 500 MB, or a number of bytes"
DURATION_ADVICE = "write a duration such as 500 s, 30 min or 2 h, or a number of seconds"


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [("8 GiB", 8 * 1024**3), ("64MiB", 64 * 1024**2), ("500 MB", 500_000_000), ("0.5 KiB", 512), ("17", 17)],
)
def test_size_is_read_in_bytes(written: str, size_bytes: int) -> None:
    assert parse_size(written) == size_bytes


@pytest.mark.parametrize(
    ("written", "refusal"),
    [
        ("8 Gib", f"has the unknown unit Gib; {SIZE_ADVICE}; did you mean `GiB`?"),
        ("-1", f"is not valid; {SIZE_ADVICE}"),
        ("GiB", f"is not valid; {SIZE_ADVICE}"),
        ("0", "is out of range; write a size from 1 B to 1024 TiB"),
        ("9999 TiB", "is out of range; write a size from 1 B to 1024 TiB"),
    ],
)
def test_invalid_size_is_refused(written: str, refusal: str) -> None:
    with pytest.raises(ValueError, match=re.escape(refusal)) as raised:
        parse_size(written)
    assert str(raised.value) == refusal


@pytest.mark.parametrize(
    ("written", "seconds"), [("500 s", 500), ("30 min", 1800), ("2 h", 7200), ("1.5h", 5400), ("1 d", 86400), ("7", 7)]
)
def test_duration_is_read_in_seconds(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "refusal"),
    [
        ("2 hrs", f"has the unknown unit hrs; {DURATION_ADVICE}; did you mean `hours`?"),
        ("1:30", f"is not valid; {DURATION_ADVICE}"),
        ("0", "is out of range; write a duration of more than 0 s and at most 30 days"),
        ("31 days", "is out of range; write a duration of more than 0 s and at most 30 days"),
    ],
)
def test_invalid_duration_is_refused(written: str, refusal: str) -> None:
    with pytest.raises(ValueError, match=re.escape(refusal)) as raised:
        parse_duration(written)
    assert str(raised.value) == refusal
