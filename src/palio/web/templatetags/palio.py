"""How values are shown, the same words as on the terminal."""

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
    """A time in UTC; a script adds the reader's own zone."""
    return "–" if time is None else time_html(time)


@register.filter
def score(value: float | None, precision: int) -> str:
    """Rounded for display only; an en dash where there is none."""
    return "–" if value is None else f"{value:.{precision}f}"


@register.filter
def coded(text: str) -> SafeString:
    """A sentence of the catalogue: what stands between backticks there is code here."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # one is left over, and so a character like others
        return format_html("{}", text)
    shown = (format_html("<code>{}</code>", part) if place % 2 else part for place, part in enumerate(parts))
    return format_html_join("", "{}", ((part,) for part in shown))


@register.filter
def lookup(mapping: dict[str, object], key: str) -> object:
    return mapping.get(key)


@register.filter
def about(wait: timedelta) -> str:
    """How long something may take that nobody knows exactly."""
    seconds = wait.total_seconds()
    return "at once" if seconds < 1 else f"in about {f'{seconds:.0f} s' if seconds < 10 else duration_text(seconds)}"


@register.filter
def took(attempt: Attempt) -> str:
    """How long an attempt ran, from its start to its end."""
    if attempt.started is None or attempt.finished is None:
        return "–"
    return duration_text((attempt.finished - attempt.started).total_seconds())
