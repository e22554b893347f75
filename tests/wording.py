"""`python -m tests.wording [PATH ...]`: finds words that docs/glossary.md rules out, in all text that a person reads.

Reads Markdown, page templates, and the strings and comments of programs and configurations. Code is skipped: in
backticks, indented or fenced in Markdown, tags in templates, and strings without a space in programs.
Not covered: text that is composed at run time from parts which are fine by themselves.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "docs/glossary.md"
TABLE = "## Words to avoid"
READ = (
    "*.md",
    "*.toml",
    "*.yaml",
    "Makefile",
    ".ci/run",
    "docs/**/*.md",
    "deploy/*",
    "challenges/**/*",
    "src/palio/**/*.py",
    "src/palio/web/templates/**/*",
    "src/palio/web/static/palio/*.js",
    "tests/submissions/hostile/README.md",
    "tests/submissions/hostile/*/expect.yaml",
)


@dataclass(frozen=True)
class Rule:
    """A row of the glossary's table: the words to avoid, and what to write instead."""

    words: re.Pattern[str]
    instead: str


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: “{self.words}”. Write: {self.instead}"


def read_rules(glossary: str) -> list[Rule]:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", glossary.partition(TABLE)[2], re.MULTILINE)
    return [Rule(_pattern(words), instead) for words, instead in rows if (words, instead) != ("not", "but")]


def _pattern(words: str) -> re.Pattern[str]:
    """Alternatives are separated by commas; `*` stands for any ending."""
    alternatives = []
    for phrase in words.split(", "):
        escaped = re.escape(phrase).replace(r"\*", r"\w*").replace(r"\ ", r"\s+").replace("'", "['’]")
        alternatives.append((r"\b" if phrase[0].isalnum() else "") + escaped + r"\b")
    return re.compile("|".join(alternatives), re.IGNORECASE)


def findings(path: str, content: str, rules: Sequence[Rule]) -> list[Finding]:
    prose = prose_of(path, content)
    found = [
        Finding(path, prose.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), rule.instead)
        for rule in rules
        for match in rule.words.finditer(prose)
    ]
    return sorted(found, key=lambda finding: finding.line)


def prose_of(path: str, content: str) -> str:
    """The content with everything but prose blanked out; length and lines stay the same."""
    match Path(path).suffix:
        case ".md":
            return _markdown(content)
        case ".html" | ".txt":
            return _template(content)
        case ".py":
            return _without(_CODE_IN_TEXT, _python(content))
        case ".js":
            return _without(_CODE_IN_TEXT, _javascript(content))
        case _:
            return _without(_CODE_IN_TEXT, _only(_COMMENT, content))


_CODE_IN_TEXT = re.compile(r"`[^`\n]+`|https?://\S+|\b[\w.-]+/[\w./-]+\.\w+\b|{[^{}\n]*}")
_COMMENT = re.compile(r"(?:^|(?<=\s))#(.*)$|^\s*(?:attack|title|description|name): (.*)$", re.MULTILINE)
_JAVASCRIPT = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<quote>[\"'`])(?P<text>(?:(?!(?P=quote))[^\\\n]|\\.)*)(?P=quote)", re.DOTALL
)
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_MARKDOWN_CODE = re.compile(r"``.+?``|`[^`]+`|<!--.*?-->|<[a-z/][^>]*>|\]\([^)]*\)|https?://\S+", re.DOTALL)
_TEMPLATE_CODE = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}|<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL)
_TEMPLATE_TEXT = re.compile(
    r"(?:data-confirm(?:-yes)?|title|placeholder|aria-label|alt|content)=\"([^\"]*)\""
    r"|[:=]\"([^\"{}]* [^\"{}]*)\"|{#(.*?)#}",
    re.DOTALL,
)


def _markdown(content: str) -> str:
    prose, _, table = content.partition(TABLE)
    prose += " " * len(TABLE) * bool(table) + _blank(table)
    for code in (_FENCE, _INDENTED, _MARKDOWN_CODE):
        prose = _without(code, prose)
    return prose


def _template(content: str) -> str:
    """Text between tags, and attributes that are read."""
    text = _without(_TEMPLATE_CODE, content)
    shown = _only(_TEMPLATE_TEXT, content)
    shown = _without(re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL), shown)
    return "".join(a if a.strip("\0") else b for a, b in zip(text, shown, strict=True))


def _python(content: str) -> str:
    """Comments, and strings that have a space in them."""
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    spans = [
        (starts[token.start[0] - 1] + token.start[1], starts[token.end[0] - 1] + token.end[1])
        for token in tokenize.generate_tokens(io.StringIO(content).readline)
        if token.type == tokenize.COMMENT or (_is_text(token.type) and " " in token.string.strip())
    ]
    return _keep(content, spans)


def _javascript(content: str) -> str:
    """Comments, and strings that have a space in them."""
    spans = [
        match.span(group)
        for match in _JAVASCRIPT.finditer(content)
        for group in ("comment", "text")
        if match[group] and (group == "comment" or " " in match[group])
    ]
    return _keep(content, spans)


def _is_text(kind: int) -> bool:
    return kind == tokenize.STRING or kind == getattr(tokenize, "FSTRING_MIDDLE", None)


def _only(pattern: re.Pattern[str], content: str) -> str:
    """The groups that matched; with no group, the whole matches."""
    spans = [match.span(group) for match in pattern.finditer(content) for group in range(1, pattern.groups + 1)]
    return _keep(content, [span for span in spans if span[0] >= 0])


def _keep(content: str, spans: Sequence[tuple[int, int]]) -> str:
    kept = list(_blank(content))
    for start, end in spans:
        kept[start:end] = content[start:end]
    return "".join(kept)


def _without(pattern: re.Pattern[str], content: str) -> str:
    return pattern.sub(lambda match: _blank(match[0]), content)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", "\0", text)


def paths() -> Iterator[str]:
    """All files to read, relative to the root, without those that git ignores for being made by commands."""
    made = ("input_data", "reference_data", "model_output", "submission_directory", "__pycache__")
    found = {path for pattern in READ for path in ROOT.glob(pattern) if path.is_file()}
    for path in sorted(found):
        relative = path.relative_to(ROOT)
        if path.suffix not in (".png", ".csv", ".pyc", ".zip") and not set(made) & set(relative.parts):
            yield relative.as_posix()


def main(arguments: Sequence[str]) -> int:
    rules = read_rules(GLOSSARY.read_text(encoding="utf-8"))
    chosen = arguments or [*paths()]
    found = [finding for path in chosen for finding in findings(path, (ROOT / path).read_text("utf-8"), rules)]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
