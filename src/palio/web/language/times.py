"""Dates, times and distances from now, as the reader's language writes them."""

from datetime import date, datetime

from django.contrib.humanize.templatetags.humanize import NaturalTimeFormatter
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import get_language, pgettext

from palio.web.language.middleware import ENGLISH

# Django's catalogs have the forms that follow “in” and “ago”, which differ from others in German.
_AHEAD, _BEHIND = NaturalTimeFormatter.future_substrings, NaturalTimeFormatter.past_substrings


def minute(time: datetime) -> str:
    """A time to the minute, in its own time zone."""
    if (get_language() or ENGLISH) == ENGLISH:  # the leaderboard has hundreds
        return f"{time:%Y-%m-%d %H:%M}"
    # Translators: how to write a date and time; see https://docs.python.org/3/library/datetime.html#format-codes
    return time.strftime(pgettext("date and time", "%Y-%m-%d %H:%M"))


def day(time: date) -> str:
    # Translators: how to write a date, as above
    return time.strftime(pgettext("date", "%Y-%m-%d"))


def distance(when: datetime, now: datetime, *, ahead_depth: int = 1) -> str:
    """How far off a time is, such as “in 3 days” or “2 months ago”; `ahead_depth` units, if it is ahead."""
    if when > now:
        far = timeuntil(when, now, time_strings=_AHEAD, depth=ahead_depth)
        return pgettext("distance from now", "in %(time)s") % {"time": far}
    return pgettext("distance from now", "%(time)s ago") % {"time": timesince(when, now, time_strings=_BEHIND, depth=1)}
