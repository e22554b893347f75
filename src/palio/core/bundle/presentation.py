"""Reads how a challenge is shown: the keys of the `palio:` block that are about the whole challenge, not a phase."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from palio.core.bundle.color import LIGHT_PAPER, READABLE, contrast, is_color, readable_on
from palio.core.bundle.model import Organizer, Presentation, Tags
from palio.core.bundle.paths import Paths
from palio.core.bundle.readers import scalar, text_up_to
from palio.core.bundle.values import Refused, Section, Value, accept

KEYS = frozenset({"accent", "cover", "tags", "organizers", "prize", "citation", "discussion"})
MOST_TAGS, TAG_CHARACTERS = 6, 40  # of each kind
MOST_ORGANIZERS = 50
NAME_CHARACTERS, TEXT_CHARACTERS, LINK_CHARACTERS = 200, 2000, 1000
_LINK = "write an address that starts with https://"
_COLOR = 'write a color such as "#2a58b0", in quotes'


def read_presentation(block: Value | None, paths: Paths) -> Presentation:
    """Reads these keys of the block at top level; `without_presentation` leaves the others."""
    if block is None:
        return Presentation()
    top = block.section()
    return Presentation(
        accent=top.read("accent", accent, ""),
        cover=top.read("cover", paths.file, None),
        tags=_tags(top.section("tags")) if top.take("tags") else Tags(),
        organizers=_organizers(top),
        prize=top.read("prize", text_up_to(TEXT_CHARACTERS), ""),
        citation=top.read("citation", text_up_to(TEXT_CHARACTERS), ""),
        discussion=top.read("discussion", link, ""),
    )


def without_presentation(block: Value | None) -> Value | None:
    """The rules of the block. None if it has nothing else: such a bundle keeps its own platform's defaults."""
    if block is None or not isinstance(block.content, dict) or not KEYS & block.content.keys():
        return block
    rest = {key: value for key, value in block.content.items() if key not in KEYS}
    return replace(block, content=rest) if rest else None


def accent(value: Value) -> str:
    """A color in which text can be read on a light page; a lighter shade of it is used on a dark one."""
    written = scalar(value, _COLOR)
    if not is_color(written):
        raise Refused(f"{value.found}; {_COLOR}")
    if (found := contrast(written, LIGHT_PAPER)) < READABLE:
        raise Refused(
            f"{value.found}, whose contrast on a light page is {found:.1f}:1; links need at least {READABLE}:1, so "
            f'write a darker color such as "{readable_on(LIGHT_PAPER, written)}"'
        )
    return written.lower()


def link(value: Value) -> str:
    """An http(s) URL."""
    written = scalar(value, _LINK)
    try:
        parts = urlsplit(written)
        is_link = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:  # brackets that are no IPv6 address
        is_link = False
    if not is_link or len(written) > LINK_CHARACTERS or not written.isprintable() or " " in written:
        raise Refused(f"{value.found}; {_LINK}")
    return written


def _tags(section: Section) -> Tags:
    return Tags(
        modality=section.read("modality", _words, ()),
        task=section.read("task", _words, ()),
        body_part=section.read("body_part", _words, ()),
    )


def _words(value: Value) -> tuple[str, ...]:
    """One text, or a list of texts."""
    items = value.items() if isinstance(value.content, tuple) else (value,)
    if not items or isinstance(value.content, dict):
        raise Refused(f"{value.found}; write a text such as CT, or a list of texts")
    if len(items) > MOST_TAGS:
        raise Refused(f"has {len(items)} tags; write at most {MOST_TAGS}")
    one: Callable[[Value], str] = text_up_to(TAG_CHARACTERS)
    return tuple(dict.fromkeys(tag for item in items if (tag := accept(item, one, ""))))


def _organizers(top: Section) -> tuple[Organizer, ...]:
    name = text_up_to(NAME_CHARACTERS)
    read = [
        Organizer(
            name=section.require("name", name, "", "write the name of a person or group"),
            affiliation=section.read("affiliation", name, ""),
            link=section.read("link", link, ""),
        )
        for section in top.sections("organizers")
    ]
    if len(read) > MOST_ORGANIZERS and (value := top.take("organizers")):
        value.error(f"has {len(read)} organizers; name at most {MOST_ORGANIZERS}")
    return tuple(read)
