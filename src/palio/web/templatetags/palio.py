"""Filters that format values, in the same way as the CLI."""

from datetime import datetime, timedelta

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from palio.core.quantities import duration_text, size_text
from palio.web.http.time_html import time_html
from palio.web.models import Attempt

register = template.Library()
register.filter("size", size_text)
register.filter("duration", duration_text)


@register.filter
def when(time: datetime | None) -> SafeString | str:
    """A time in UTC; palio.js adds the local time."""
    return "–" if time is None else time_html(time)


@register.filter
def score(value: float | None, precision: int) -> str:
    """A score rounded for display, or an en dash if there is none."""
    return "–" if value is None else f"{value:.{precision}f}"


@register.filter
def coded(text: str) -> SafeString:
    """Text from the error table, with `backticks` rendered as <code>."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # unbalanced, so the backticks are literal
        return format_html("{}", text)
    shown = (format_html("<code>{}</code>", part) if place % 2 else part for place, part in enumerate(parts))
    return format_html_join("", "{}", ((part,) for part in shown))


@register.filter
def lookup(mapping: dict[str, object], key: str) -> object:
    return mapping.get(key)


@register.filter
def about(wait: timedelta) -> str:
    """An estimated waiting time."""
    seconds = wait.total_seconds()
    return "shortly" if seconds < 1 else f"in about {f'{seconds:.0f} s' if seconds < 10 else duration_text(seconds)}"


@register.filter
def took(attempt: Attempt) -> str:
    """How long an attempt ran."""
    if attempt.started is None or attempt.finished is None:
        return "–"
    return duration_text((attempt.finished - attempt.started).total_seconds())
