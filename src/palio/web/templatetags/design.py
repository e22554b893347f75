"""Parts of pages that are drawn on the server: icons, covers and meters."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from palio.web.language.times import distance, minute
from palio.web.queries.drawn_cover import drawn_cover
from palio.web.queries.log_colors import colored_runs

register = template.Library()
_ICONS = Path(__file__).parents[1] / "static" / "vendor" / "lucide"
ICONS = tuple(sorted(path.stem for path in _ICONS.glob("*.svg")))
_NEAR = 0.8  # of a limit


@register.simple_tag
@lru_cache(64)
def icon(name: str) -> SafeString:
    """An icon of the vendored set, for the eye only: the words beside it say the same."""
    content = (_ICONS / f"{name}.svg").read_text(encoding="utf-8")
    inner = content[content.index(">", content.index("<svg")) + 1 : content.index("</svg>")]
    lines = "".join(line.strip() for line in inner.splitlines())
    return mark_safe(  # noqa: S308 - one of our files
        '<svg class="icon" viewBox="0 0 24 24" width="16" height="16" fill="none" stroke="currentColor" '
        f'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{lines}</svg>'
    )


@register.simple_tag
def cover_of(slug: str, accent: str = "", is_banner: object = False) -> SafeString:
    """The drawing of a challenge that has no cover, always the same for its name."""
    return mark_safe(drawn_cover(slug, accent, is_banner=bool(is_banner)))  # noqa: S308 - numbers and our own colors


@register.simple_tag
def meter(share: float | None) -> SafeString | str:
    """A share of a limit as a bar; nothing if it is unknown. The words beside it say the same."""
    if share is None:
        return ""
    kind = "over" if share >= 1 else "near" if share >= _NEAR else ""
    return format_html(
        '<svg class="meter {}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="{}" height="4"/></svg>',
        kind,
        f"{min(max(share, 0.01), 1) * 100:.1f}",
    )


@register.filter
def colored(text: str) -> SafeString:
    """A log as HTML: its colors become classes of ours, everything else of it is text."""
    return format_html_join("", "{}", ((_run(classes, run),) for classes, run in colored_runs(text)))


def _run(classes: tuple[str, ...], run: str) -> SafeString | str:
    return (
        format_html('<span class="{}">{}</span>', " ".join(f"ansi-{each}" for each in classes), run) if classes else run
    )


@register.filter
def countdown(when: datetime) -> SafeString:
    """How far off a time is, such as “in 3 days, 4 hours”; the exact time is a tooltip."""
    return format_html(
        '<span class="countdown nowrap"><time datetime="{}" title="{} UTC">{}</time></span>',
        when.isoformat(),
        minute(when.astimezone(UTC)),
        distance(when, timezone.now(), ahead_depth=2),
    )
