"""Every text of a page can be translated, and is."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from django.template.base import Lexer, TokenType
from tests import messages

WEB = messages.SOURCE / "web"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
LANGUAGES = sorted(messages.PLURALS)

# -- the translations


def key(message: Message) -> tuple[str | None, object]:
    return message.context, message.id


def texts(message: Message) -> list[tuple[str, str]]:
    """Pairs of a text and its translation; the second form of a plural is that of all other forms."""
    if not isinstance(message.id, tuple):
        return [(str(message.id), str(message.string))]
    one, many = message.id
    first, *others = tuple(message.string or ())
    return [(one, first), *((many, form) for form in others)]


def translated(language: str) -> list[Message]:
    return [message for message in messages.read(language) if message.id]


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_complete(language: str) -> None:
    wanted = {key(message) for message in messages.extracted() if message.id}
    found = {key(message) for message in translated(language)}
    assert (wanted - found, found - wanted) == (set(), set()), "Run `make messages`."
    assert [message.id for message in translated(language) if not messages.is_translated(message)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_translations_current(language: str) -> None:
    path = messages.po_path(language)
    assert path.with_suffix(".mo").read_bytes() == messages.compiled(messages.read(language)), "Run `make messages`."


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_placeholders_and_markup(language: str) -> None:
    wrong = []
    for message in translated(language):
        for text, translation in texts(message):
            if message.context in {"date", "date and time"}:
                continue
            if Counter(_fixed(text)) != Counter(_fixed(translation)):
                wrong.append((text, translation))
    assert wrong == []


def _fixed(text: str) -> list[str]:
    """What a translation may not change: placeholders, tags, and quotes that would end an attribute."""
    names = re.findall(r"%\(\w+\)s|\{\w+\}|%%|(?<!%)%(?![%(])", text)
    return [*names, *re.findall(r"<[^>]*>", text), *re.findall(r'["<>]', re.sub(r"<[^>]*>", "", text))]


# -- what is not marked

# Names, units and signs, which are the same in all languages.
SAME = {"Palio", "CSV", "JSON", "SVG", "SHA-256", "ID", "CPUs", "GPUs", "URL", "receipt.json"}
PLACEHOLDERS = {"University of Siena", "ghcr.io"}  # examples
SHOWN = ("title", "alt", "aria-label", "placeholder", "data-confirm", "data-confirm-yes")
NOT_SHOWN = {"script", "style", "code", "pre"}
NOT_TRANSLATED = {"styleguide.html"}  # only for developers


class _Visible(HTMLParser):
    """Collects the words that a reader sees, or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in NOT_SHOWN:
            self._inside.append(tag)
        self._add(*(value or "" for name, value in attrs if name in SHOWN and value not in PLACEHOLDERS))

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self._add(data)

    def _add(self, *texts: str) -> None:
        for text in texts:
            left = re.sub("|".join(map(re.escape, sorted(SAME, key=len, reverse=True))), "", text)
            if not text.startswith(("https://", "ghcr.io/", " ghcr.io/")) and re.search(r"[^\W\d_]{2,}", left):
                self.found.append(" ".join(text.split()))


def unmarked(source: str) -> list[str]:
    """The visible text of a template that is not inside of a translation tag."""
    kept, is_inside = [], False
    for token in Lexer(source).tokenize():
        if token.token_type is TokenType.BLOCK and token.contents.split()[0] in {"blocktranslate", "comment"}:
            is_inside = True
        elif token.token_type is TokenType.BLOCK and token.contents in {"endblocktranslate", "endcomment"}:
            is_inside = False
        elif token.token_type is TokenType.TEXT and not is_inside:
            kept.append(token.contents)
        elif token.token_type is TokenType.BLOCK and token.contents.split()[0] in {"if", "elif", "else", "endif"}:
            kept.append(" ")
    parser = _Visible()
    parser.feed("".join(kept))
    parser.close()
    return parser.found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(WEB / "templates").as_posix())
def test_templates_marked(path: Path) -> None:
    if path.name not in NOT_TRANSLATED:
        assert unmarked(path.read_text(encoding="utf-8")) == []


def test_unmarked_text_found() -> None:
    source = (
        '<p title="A tip">{% if a %}{% translate "Yes" %}{% else %}No way{% endif %} <code>palio</code> {{ x }} · 3 %'
        '{% blocktranslate %}Fine{% endblocktranslate %}<img alt="{% translate "x" %}"><input placeholder="Type here">'
    )
    assert unmarked(source) == ["A tip", "No way", "Type here"]


# -- the same for sentences in Python

MARKS = {name for name in messages.KEYWORDS if name != "_"} | {"Figure"}
# Everything that says something on a page, but not what is written into files, nor errors, whose texts are English.
SAYING = [
    *(WEB / "pages").glob("*.py"),
    *(WEB / "templatetags").glob("*.py"),
    *(path for path in (WEB / "queries").glob("*.py") if path.name not in {"export.py", "report.py", "metrics.py"}),
    *(WEB / "leaderboard").glob("*.py"),
    *((WEB / "verbs") / name for name in ("edit_bundle.py", "digests.py", "notices.py", "notifications.py")),
]
SENTENCE = re.compile(r"^[A-Z“…][^<>{}\n]* [^<>{}\n]*[.!?:]$")  # several words, from a capital letter to a full stop


def unmarked_sentences(source: str) -> list[str]:
    """Sentences in a module that are no docstrings and not inside of a call that marks them or raises an error."""
    return [text for text in _sentences(ast.parse(source)) if SENTENCE.match(text)]


def _sentences(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            name = child.func.attr if isinstance(child.func, ast.Attribute) else getattr(child.func, "id", "")
            if name in MARKS or (name in {"PalioError", "ValueError", "error", "warning"} and _is_log(child.func)):
                continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in child.values)
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and not isinstance(node, ast.JoinedStr):
            yield child.value
        yield from _sentences(child)


def _is_log(function: ast.expr) -> bool:
    """Errors by their class, and what a log is told; not `messages.error`, which is for a page."""
    return isinstance(function, ast.Name) or ast.unparse(function).startswith("log.")


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.py")), ids=lambda path: path.relative_to(WEB).as_posix())
def test_no_mark_inside_of_an_f_string(path: Path) -> None:
    """Where it would not be extracted."""
    strings = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.JoinedStr)
    ]
    calls = [node for string in strings for node in ast.walk(string) if isinstance(node, ast.Call)]
    assert [ast.unparse(call) for call in calls if getattr(call.func, "id", "") in MARKS] == []


@pytest.mark.parametrize("path", SAYING, ids=lambda path: path.relative_to(WEB).as_posix())
def test_sentences_marked(path: Path) -> None:
    assert unmarked_sentences(path.read_text(encoding="utf-8")) == []


def test_unmarked_sentences_found() -> None:
    source = (
        'def f(x):\n    """Say it."""\n    messages.error(request, f"{x} was not saved.")\n'
        '    gettext("It was saved.")\n    raise PalioError("code", reason="It is not valid.")\n'
        '    return "It was not saved."\n'
    )
    assert unmarked_sentences(source) == ["… was not saved.", "It was not saved."]
