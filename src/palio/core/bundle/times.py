"""Reads times as organizers write them, in both dialects. Results are always aware and in UTC.

A time without an offset is UTC; a date without a time is midnight. ISO 8601 is preferred; month-first and English dates
are read as Codabench reads them, with a warning if they are ambiguous.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from palio.core.bundle.readers import text
from palio.core.bundle.values import Refused, Value

ADVICE = "write a date or time such as 2025-01-31 or 2025-01-31 23:59:00+01:00 (UTC if it names no offset)"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = (
    r"(?:(?:t|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{0,9}))?)?"
    r"\s*(?P<half>am|pm)?\s*(?P<zone>z|utc|gmt|[+-]\d{1,2}(?::?\d{2})?)?)?"
)
_ISO, _MONTH_FIRST, _DAY_NAMED, _MONTH_NAMED = (
    re.compile(date + _CLOCK, re.ASCII | re.IGNORECASE)
    for date in (
        r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})",
        r"(?P<month>\d{1,2})(?P<mark>[-/.])(?P<day>\d{1,2})(?P=mark)(?P<year>\d{4})",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\s+(?P<month>[a-z]{3,9})\.?,?\s+(?P<year>\d{4})",
        r"(?P<month>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})",
    )
)


def moment(value: Value) -> datetime:
    """Reads a point in time as aware UTC. Warns if the date could be read as another day."""
    written = text(value)
    match = next((m for form in (_ISO, _MONTH_FIRST, _DAY_NAMED, _MONTH_NAMED) if (m := form.fullmatch(written))), None)
    if match is None:
        raise Refused(f"{value.found}, which is not a valid time; {ADVICE}")
    try:
        month, day = _month(match["month"]), int(match["day"])
        doubtful = match.re is _MONTH_FIRST and month != day and day <= 12  # other countries put the day first
        if match.re is _MONTH_FIRST and month > 12:  # 31.12.2024 can only be day first
            month, day, doubtful = day, month, False
        local = datetime(int(match["year"]), month, day, tzinfo=_zone(match["zone"])) + _clock(match)
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{value.found}, but there is no such day or time; {ADVICE}") from None
    if doubtful:
        value.warn(
            f"{value.found}, read as {local.day} {local:%B %Y}, month first, as on Codabench; "
            f"write {local:%Y-%m-%d} to be sure"
        )
    return instant


def _month(written: str) -> int:
    return int(written) if written.isdigit() else _MONTHS.index(written[:3].lower()) + 1


def _zone(written: str | None) -> timezone:
    if written is None or written[0] not in "+-":
        return UTC
    digits = written[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    if hours > 14 or minutes > 59:
        raise ValueError(written)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if written[0] == "-" else offset)


def _clock(match: re.Match[str]) -> timedelta:
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(match[0])
    microseconds = int((match["fraction"] or "").ljust(6, "0")[:6])
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microseconds)
