"""Organizers' Markdown and HTML as safe HTML: rendered by markdown-it, sanitized by nh3.

Covered: scripts, styles, frames, forms and event handlers are removed, also from raw HTML; links send no referrer and
are marked nofollow; pictures come only from the bundle, and never from the data that submissions are run on or scored
with. Not covered: what a text says; the time and memory it takes, so only child processes call this.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import nh3
from markdown_it import MarkdownIt

from palio.core.bundle.model import Bundle

PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "th": {"align", "colspan", "rowspan", "scope"},
    "td": {"align", "colspan", "rowspan"},
    "ol": {"start"},
    "code": {"class"},
}
_SCHEMES = {"http", "https", "mailto"}
_DEEPEST = 6  # heading level
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
Address = Callable[[str], str]  # URL of a bundle's file, by its path in the bundle


@dataclass(frozen=True)
class _Place:
    """The bundle and folder of a text, and how the files and pages it names are addressed."""

    bundle: Bundle
    folder: Path
    picture: Address
    page: Callable[[int], str]


def render_text(text: str) -> str:
    """Render a text outside a bundle, such as an announcement: no pictures, no links within the site."""
    return _clean(_to_html(text), lambda _tag, name, value: None if name == "src" else value)


def render_file(bundle: Bundle, file: Path, picture: Address, page: Callable[[int], str]) -> str:
    """Render a page or the terms of a bundle. Files named .html are HTML, others Markdown.

    `picture` returns the URL of one of the bundle's files, `page` that of one of its pages, by index.
    """
    text = file.read_text(encoding="utf-8", errors="replace")
    html = text if file.suffix.lower() in (".html", ".htm") else _to_html(text)
    place = _Place(bundle, file.parent, picture, page)
    return _clean(html, lambda tag, name, value: _attribute(place, tag, name, value))


def is_public(bundle: Bundle, path: Path) -> bool:
    """Whether a path is inside the bundle and not part of the data that submissions are run on or scored with."""
    hidden = [
        found.resolve()
        for task in bundle.tasks
        for found in (task.input_data, task.reference_data, task.scoring_program, task.ingestion_program)
        if found is not None
    ]
    resolved, root = path.resolve(), bundle.root.resolve()
    return resolved.is_relative_to(root) and not any(resolved.is_relative_to(other) for other in hidden)


def is_picture(bundle: Bundle, file: Path) -> bool:
    """Whether a file may be served as a picture, with a name that fits a URL."""
    name = file.relative_to(bundle.root).as_posix()
    return file.suffix.lower() in PICTURES and name.isprintable() and is_public(bundle, file)


def _to_html(text: str) -> str:
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # the page already has a title
            token.tag = f"h{min(int(token.tag[1]) + 1, _DEEPEST)}"
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _clean(html: str, attribute: Callable[[str, str, str], str | None]) -> str:
    clean = nh3.clean(
        html,
        tags=nh3.ALLOWED_TAGS - {"map", "area"},
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer",
    )
    return _in_frames(clean)


def _in_frames(html: str) -> str:
    """Let wide tables scroll instead of the page. The markup comes from nh3, so it is simple."""
    html = html.replace("<pre>", '<pre tabindex="0">')
    html = re.sub(r"<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>', html)
    return html.replace("</table>", "</table></div>")


def _attribute(place: _Place, tag: str, name: str, value: str) -> str | None:
    if name not in ("src", "href"):
        return value
    parts = urlsplit(value)
    if name == "href" and (parts.scheme or value.startswith("#")):
        return value
    if parts.scheme or parts.netloc:
        return None  # an external picture would tell its host who reads the page
    target = _find(place, unquote(parts.path))
    if target is None:
        return None
    if tag == "img":
        fits = is_picture(place.bundle, target)
        return place.picture(target.relative_to(place.bundle.root).as_posix()) if fits else None
    pages = [page.file for page in place.bundle.pages]
    return place.page(pages.index(target)) if target in pages else None


def _find(place: _Place, path: str) -> Path | None:
    """Find the file that is meant, relative to the page's folder or the bundle's."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\0" in path:
        return None
    for folder in (place.folder, place.bundle.root):
        try:
            target = folder.joinpath(*parts).resolve()
            if target.is_file() and target.is_relative_to(place.bundle.root):
                return target
        except (OSError, RuntimeError):  # a name that is too long, a link to itself
            continue
    return None
