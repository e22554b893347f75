"""Markdown typed into forms, such as announcements, as safe HTML: rendered once by a child process, then cached.

A text that exceeds the limits is shown as it was typed.
"""

import hashlib
from collections.abc import Sequence

from django.core.cache import cache
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from palio import __version__
from palio.core.errors import PalioError
from palio.web.reading.bounded import TEXTS, read_bounded
from palio.web.reading.readers import render_texts


def shown_texts(texts: Sequence[str]) -> list[SafeString]:
    """Each text as HTML, without pictures and links within the site."""
    keys = [_key(text) for text in texts]
    kept: dict[str, str] = cache.get_many(keys)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
    if missing:
        made = dict(zip(missing, _rendered([*missing.values()]), strict=True))
        cache.set_many(made, timeout=None)
        kept |= made
    return [mark_safe(kept[key]) for key in keys]  # noqa: S308 - web.markdown has made it so


def is_readable(text: str) -> bool:
    """Whether it can be rendered within the limits; the result is cached."""
    try:
        html = _in_child([text])[0]
    except PalioError:
        return False
    cache.set(_key(text), html, timeout=None)
    return True


def _rendered(texts: list[str]) -> list[str]:
    """Render all at once, or one by one if any exceeds the limits."""
    try:
        return _in_child(texts)
    except PalioError:
        if len(texts) == 1:
            return [format_html('<pre tabindex="0">{}</pre>', texts[0])]
        return [html for text in texts for html in _rendered([text])]


def _in_child(texts: list[str]) -> list[str]:
    html: list[str] = read_bounded(render_texts, texts, bounds=TEXTS, code="bundle-unreadable", name="The text")
    return html


def _key(text: str) -> str:
    return f"text/{__version__}/{hashlib.sha256(text.encode()).hexdigest()}"
