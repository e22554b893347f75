"""Numbers, sizes and durations for people, with the decimal mark and the units of the reader's language."""

import re

from django.utils.formats import get_format
from django.utils.translation import get_language, gettext

from palio.core.quantities import duration_text, size_text
from palio.web.language.middleware import ENGLISH

_BARE_POINT = re.compile(r"(?<!\d)\.(?=\d)")


def figure(text: str) -> str:
    """A number that is written as English does: `1,800.5` becomes `1.800,5` in German, and `.05` becomes `0,05`."""
    language = get_language() or ENGLISH
    return text if language == ENGLISH else _BARE_POINT.sub("0.", text).translate(_marks(language))


def number(value: float, form: str = "") -> str:
    """A number in a format such as `.4f` or `,`."""
    return figure(format(value, form))


def size(size_bytes: float) -> str:
    """See `core.quantities.size_text`."""
    value, _, unit = size_text(size_bytes).partition(" ")
    shown = gettext(unit)
    return f"{figure(value)} {shown}"


def duration(seconds: float) -> str:
    """See `core.quantities.duration_text`, whose units are international."""
    return figure(duration_text(seconds))


def _marks(language: str) -> dict[int, str]:
    if language not in _known:
        names = {",": "THOUSAND_SEPARATOR", ".": "DECIMAL_SEPARATOR"}
        _known[language] = str.maketrans({mark: str(get_format(name, language)) for mark, name in names.items()})
    return _known[language]


_known: dict[str, dict[int, str]] = {}
