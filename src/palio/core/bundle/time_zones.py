"""Reads time zones as organizers write them: offsets, IANA names, AoE and common abbreviations."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from palio.core.bundle.values import Refused
from palio.core.bundle.wording import quoted, suggestion

ADVICE = "write an offset such as +01:00, or a name such as Europe/Berlin, UTC-12 or AoE"
# The end of a written time. An offset without a name is only recognized after a time of day.
PATTERN = r"(?:(?:utc|gmt)\s*[+-]\s*\d{1,2}(?::?\d{2})?|[+-]\d{1,2}(?::?\d{2})?|[a-z]+(?:[/_+-][a-z0-9]+)*)"
ANYWHERE_ON_EARTH = timezone(timedelta(hours=-12), "AoE")
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])\s*(\d{1,2}?):?(\d{2})?", re.IGNORECASE)
_HOURS = {
    name: hours
    for names, hours in (
        ("pst", -8),
        ("pdt mst", -7),
        ("mdt cst", -6),
        ("cdt est", -5),
        ("edt", -4),
        ("bst west", 1),
        ("cest", 2),
        ("eest msk", 3),
        ("sgt hkt", 8),
        ("jst kst", 9),
        ("aest", 10),
        ("aedt", 11),
    )
    for name in names.split()
}
_SEVERAL = {  # abbreviations of several zones that are far apart
    "ist": "Asia/Kolkata, Asia/Jerusalem or Europe/Dublin",
    "ast": "America/Halifax or Asia/Riyadh",
    "gst": "Asia/Dubai or Atlantic/South_Georgia",
}


def zone(written: str | None) -> tzinfo:
    """The zone; UTC for none. Raises Refused if unknown, ValueError for an offset of more than 14 hours."""
    name = (written or "utc").strip()
    if name.lower() in {"z", "utc", "gmt"}:
        return UTC
    if name.lower() == "aoe":
        return ANYWHERE_ON_EARTH
    if match := _OFFSET.fullmatch(name):
        hours, minutes = int(match[2]), int(match[3] or 0)
        if hours > 14 or minutes > 59:
            raise ValueError(written)
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if match[1] == "-" else offset)
    if (hours_east := _HOURS.get(name.lower())) is not None:
        return timezone(timedelta(hours=hours_east), name.upper())
    return _named(name)


def is_ambiguous(written: str | None) -> bool:
    """Whether an abbreviation has another common meaning than the one it is read with."""
    return (written or "").strip().lower() in {"cst", "bst"}


def shown_offset(instant: datetime) -> str:
    return re.sub(r"UTC([+-]\d\d):?(\d\d)", r"UTC\1:\2", f"UTC{instant:%z}")


def _named(name: str) -> tzinfo:
    if name.lower() in _SEVERAL:
        raise Refused(f"names the time zone {quoted(name)}, which has several meanings; write {_SEVERAL[name.lower()]}")
    known = _names().get(name.lower())
    try:
        if known is not None:
            return ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise Refused(f"names the unknown time zone {quoted(name)}; {ADVICE}{suggestion(name, _names().values())}")


@cache
def _names() -> dict[str, str]:
    """The names of the IANA database by their lower case."""
    return {name.lower(): name for name in sorted(available_timezones())}
