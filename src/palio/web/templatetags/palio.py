"""How values are shown, the same words as on the terminal."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from palio.core.quantities import duration_text, size_text
from palio.web.models import Attempt

register = template.Library()
register.filter("size", size_text)
register.filter("duration", duration_text)


@register.filter
def when(time: datetime | None) -> SafeString | str:
    """A time in UTC; a script adds the reader's own zone."""
    if time is None:
        return "–"
    return format_html('<time datetime="{}">{} UTC</time>', time.isoformat(), f"{time:%Y-%m-%d %H:%M}")


@register.filter
def score(value: float | None, precision: int) -> str:
    """Rounded for display only; an en dash where there is none."""
    return "–" if value is None else f"{value:.{precision}f}"


@register.filter
def lookup(mapping: dict[str, object], key: str) -> object:
    return mapping.get(key)


@register.filter
def took(attempt: Attempt) -> str:
    """How long an attempt ran, from its start to its end."""
    if attempt.started is None or attempt.finished is None:
        return "–"
    return duration_text((attempt.finished - attempt.started).total_seconds())
