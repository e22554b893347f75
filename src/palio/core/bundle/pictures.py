"""Whether a file can be shown as a picture: a cover or a logo.

Covered: files that are no image, whatever their name says; files too large to load with a page; images whose pixels
would exhaust a browser's memory; SVG with scripts, event handlers, entities or addresses outside the file.
Not covered: what a picture shows. Browsers get SVG only inside <img>, where scripts do not run anyway.
"""

import re
import warnings
from pathlib import Path
from xml.parsers import expat

from palio.core.bundle.wording import quoted
from palio.core.quantities import MIB, size_text

MOST_BYTES = 2 * MIB
MOST_PIXELS = 40_000_000
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}
_ALLOWED = "write a PNG, JPEG, GIF, WebP or SVG file"
_REFUSED_ELEMENTS = {"script", "foreignobject", "iframe", "embed", "object", "audio", "video", "handler", "listener"}
_OUTSIDE = re.compile(r"(?i)url\(\s*['\"]?\s*(?!#)|@import|javascript:")


def picture_fault(path: Path) -> str | None:
    """What is wrong with the picture and what to do, as the end of a sentence about it; None if it can be shown."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS and suffix != ".svg":
        return f"is {quoted(path.name)}, which no browser shows as a picture; {_ALLOWED}"
    size = path.stat().st_size
    if size > MOST_BYTES:
        return f"has {size_text(size)}; each visitor loads it, so make it smaller: at most {size_text(MOST_BYTES)}"
    return _svg_fault(path.read_bytes()) if suffix == ".svg" else _image_fault(path, _FORMATS[suffix])


def _image_fault(path: Path, expected: str) -> str | None:
    from PIL import Image  # takes a while, and most commands read no picture

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=[*dict.fromkeys(_FORMATS.values())]) as image:
                found, pixels = image.format, image.width * image.height
                if pixels > MOST_PIXELS:
                    return f"has {image.width} × {image.height} pixels; at most {MOST_PIXELS:,} in all are allowed"
                image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"has too many pixels; at most {MOST_PIXELS:,} in all are allowed"
    except Exception:  # noqa: BLE001 - Pillow's decoders raise anything on damaged files
        return f"is not an image, or is damaged; {_ALLOWED}"
    if found != expected:
        return f"is a {found} file, but its name ends in {path.suffix}; rename it"
    return None


class _UnsafeError(Exception):
    pass


def _svg_fault(content: bytes) -> str | None:
    elements: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        elements.append(local)
        if local in _REFUSED_ELEMENTS:
            raise _UnsafeError(f"has the element <{name}>")
        for key, value in attributes.items():
            attribute = key.rpartition(":")[2].lower()
            if attribute.startswith("on"):
                raise _UnsafeError(f"has the event handler {key}")
            if attribute in {"href", "src"} and not value.strip().startswith(("#", "data:image/")):
                raise _UnsafeError(f"refers to {quoted(value[:80])}")
            if _OUTSIDE.search(value):
                raise _UnsafeError(f"refers to something outside the file in {key}")

    def text(content: str) -> None:
        if elements and _OUTSIDE.search(content):
            raise _UnsafeError("refers to something outside the file in a style")

    def entity(*_: object) -> None:
        raise _UnsafeError("declares entities")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EntityDeclHandler = start, text, entity
    try:
        parser.Parse(content, True)
    except _UnsafeError as fault:
        return f"is an SVG that {fault}; remove it, or save the picture as PNG"
    except (expat.ExpatError, ValueError):
        return f"is not an image, or is damaged; {_ALLOWED}"
    return None if elements[0] == "svg" else f"is XML, but no SVG; {_ALLOWED}"
