"""`python -m tests.messages`: updates and compiles the translations of the pages; `make messages` runs it.

Extracts what is marked in templates and Python, adds it to `locale/*/LC_MESSAGES/django.po`, removes what is no longer
used, and writes `django.mo`. Lists what has no translation yet. Babel does the work, so no system package is needed.
"""

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "palio"
LOCALE = SOURCE / "web" / "locale"
PLURALS = {"de": "nplurals=2; plural=(n != 1);", "fr": "nplurals=2; plural=(n > 1);"}  # by language
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "Sentence": None,  # palio.core.sentences
    "of_count": (1, 2),
}
_HEADER = """# Palio's pages in {name}
msgid ""
msgstr ""
"Project-Id-Version: Palio\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""
_TIME = datetime(2026, 1, 1, tzinfo=UTC)  # in django.mo, so that the same texts always give the same file


def extracted() -> Catalog:
    """All messages of the sources, without translations."""
    catalog = Catalog(project="Palio", fuzzy=False)
    for path, content in _sources():
        where = path.relative_to(ROOT).as_posix()
        for _, message, comments, context in extract("python", io.BytesIO(content), KEYWORDS, ["Translators:"]):
            catalog.add(message, locations=[(where, 0)], auto_comments=comments, context=context)
    return catalog


def _sources() -> Iterator[tuple[Path, bytes]]:
    for path in sorted([*SOURCE.glob("core/**/*.py"), *SOURCE.glob("web/**/*.py")]):
        yield path, path.read_bytes()
    for path in sorted((SOURCE / "web" / "templates").rglob("*")):
        if path.suffix in {".html", ".svg", ".txt"}:
            # Python without its indentation, which means nothing in a template.
            code = re.sub(r"^[ \t]+", "", templatize(path.read_text("utf-8"), origin=path.name), flags=re.MULTILINE)
            yield path, code.encode()


def po_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def read(language: str) -> Catalog:
    path = po_path(language)
    header = _HEADER.format(language=language, name=Locale(language).english_name, plurals=PLURALS[language])
    catalog = read_po(io.BytesIO(path.read_bytes() if path.is_file() else header.encode()), locale=language)
    catalog.creation_date = catalog.revision_date = _TIME
    catalog.header_comment = header.partition("\n")[0]
    return catalog


def written(catalog: Catalog) -> bytes:
    """The content of django.po."""
    language = str(catalog.locale)
    content = io.BytesIO()
    write_po(content, catalog, width=120, omit_header=True, sort_by_file=True, include_lineno=False)
    name = Locale(language).english_name
    return _HEADER.format(language=language, name=name, plurals=PLURALS[language]).encode() + content.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """The content of django.mo."""
    content = io.BytesIO()
    write_mo(content, catalog)
    return content.getvalue()


def update(language: str) -> list[Message]:
    """Write both files of a language. Returns messages without a translation."""
    catalog = read(language)
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path = po_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written(catalog))
    path.with_suffix(".mo").write_bytes(compiled(read(language)))
    return [message for message in read(language) if message.id and not is_translated(message)]


def is_translated(message: Message) -> bool:
    texts = message.string if isinstance(message.string, list | tuple) else (message.string,)
    return all(texts) and not message.fuzzy


def main() -> None:
    for language in PLURALS:
        missing = update(language)
        print(f"{po_path(language).relative_to(ROOT)}: {len(missing)} messages without a translation")
        for message in missing:
            print(f"  {message.id!r}")


if __name__ == "__main__":
    main()
