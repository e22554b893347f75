"""Reads times as organizers write them, in both dialects. Results are always aware and in UTC.

A time without a zone is UTC. A date without a time is the start of that day where something starts, and the end of that
day where something ends, because an organizer who writes `end: 2025-01-31` means to accept submissions on that day.
ISO 8601 is preferred; month-first and English dates are read as Codabench reads them, with a warning if they are
ambiguous.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from palio.core.bundle import time_zones
from palio.core.bundle.readers import scalar
from palio.core.bundle.values import Refused, Value

ADVICE = (
    "write a date or time such as 2025-01-31, 2025-01-31 23:59:00+01:00 or 2025-01-31 23:59 Europe/Berlin (UTC if it "
    "names no zone)"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = (
    r"(?:(?:t|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{0,9}))?)?"
    r"\s*(?P<half>am|pm)?)?" + rf"(?:\s*\(?(?P<zone>{time_zones.PATTERN})\)?)?"
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


@dataclass(frozen=True)
class Moment:
    """A point in time, aware and in UTC. `whole_day`: only the day was written."""

    instant: datetime
    whole_day: bool


def moment(value: Value) -> datetime:
    """Reads when something starts. Warns if the time could be read as another one."""
    return _read(value, ends=False).instant


def end_moment(value: Value) -> Moment:
    """Reads when something ends: at the time that is written, or when the day ends that is written."""
    return _read(value, ends=True)


def shown(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _read(value: Value, *, ends: bool) -> Moment:
    written = scalar(value, ADVICE)
    match = next((m for form in (_ISO, _MONTH_FIRST, _DAY_NAMED, _MONTH_NAMED) if (m := form.fullmatch(written))), None)
    zone = match["zone"] if match else None
    if match is None or (match["hour"] is None and zone and zone[0] in "+-"):
        raise Refused(f"{value.found}, which is not a valid time; {ADVICE}")
    whole_day = match["hour"] is None
    try:
        month, day = _month(match["month"]), int(match["day"])
        doubtful = match.re is _MONTH_FIRST and month != day and day <= 12  # other countries put the day first
        if match.re is _MONTH_FIRST and month > 12:  # 31.12.2024 can only be day first
            month, day, doubtful = day, month, False
        local = datetime(int(match["year"]), month, day, tzinfo=time_zones.zone(zone)) + _clock(match)
        instant = (local + timedelta(days=1) if whole_day and ends else local).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{value.found}, but there is no such day or time; {ADVICE}") from None
    if doubtful:
        value.warn(
            f"{value.found}, read as {local.day} {local:%B %Y}, month first, as on Codabench; "
            f"write {local:%Y-%m-%d} to be sure"
        )
    if time_zones.is_ambiguous(zone) or (zone and zone.lower() in {"cet", "met", "eet", "wet"} and local.dst()):
        value.warn(f"{value.found}, read as {time_zones.shown_offset(local)}; write that offset to be sure")
    return Moment(instant, whole_day)


def _month(written: str) -> int:
    return int(written) if written.isdigit() else _MONTHS.index(written[:3].lower()) + 1


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
