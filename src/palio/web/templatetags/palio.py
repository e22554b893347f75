"""Filters that format values, in the same way as the CLI, with the marks and words of the reader's language."""

from datetime import datetime, timedelta

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, pgettext

from palio.web.http.time_html import time_html
from palio.web.language.middleware import ENGLISH
from palio.web.language.numbers import duration, figure, number, size
from palio.web.language.sentences import said
from palio.web.language.times import day
from palio.web.language.words import word
from palio.web.models import Attempt

register = template.Library()
register.filter("size", size)
register.filter("duration", duration)
register.filter("figure", figure)
register.filter("day", day)
register.filter("word", word)
register.filter("said", said)


@register.filter
def when(time: datetime | None) -> SafeString | str:
    """A time in UTC; palio.js adds the local time."""
    return "–" if time is None else time_html(time)


@register.filter
def score(value: float | None, precision: int) -> str:
    """A score rounded for display, or an en dash if there is none."""
    return "–" if value is None else number(value, f".{precision}f")


@register.filter
def coded(text: str) -> SafeString:
    """Text from the error table, with `backticks` rendered as <code>. It is English, which screen readers must know."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # unbalanced, so the backticks are literal
        parts = [text]
    shown = (format_html("<code>{}</code>", part) if place % 2 else part for place, part in enumerate(parts))
    html = format_html_join("", "{}", ((part,) for part in shown))
    return html if (get_language() or ENGLISH) == ENGLISH else format_html('<span lang="en">{}</span>', html)


@register.filter
def lookup(mapping: dict[str, object], key: str) -> object:
    return mapping.get(key)


@register.filter
def about(wait: timedelta) -> str:
    """An estimated waiting time."""
    seconds = wait.total_seconds()
    if seconds < 1:
        return pgettext("waiting time", "shortly")
    return gettext("in about %(time)s") % {"time": f"{seconds:.0f} s" if seconds < 10 else duration(seconds)}


@register.filter
def took(attempt: Attempt) -> str:
    """How long an attempt ran."""
    if attempt.started is None or attempt.finished is None:
        return "–"
    return duration((attempt.finished - attempt.started).total_seconds())
