"""The reference of competition.yaml as a page: `python -m palio.core.bundle.reference > docs/competition-yaml.md`."""

from collections.abc import Iterable, Sequence

from palio.core.bundle.key_meanings import meaning
from palio.core.bundle.recorded_keys import RecordedKey, codabench_keys, codalab_keys
from palio.core.bundle.units import duration, size
from palio.core.quantities import duration_text, size_text

_HEAD = """\
# competition.yaml: every key
This page is generated from the reader, so it lists exactly what is read. [Creating a challenge](challenges.md)
explains how the parts work together. `palio schema` prints the same as JSON Schema, with which editors complete and
check the file.

Unknown keys and keys without effect are warnings. A key with an empty value is read as absent.
"""


# Their defaults depend on other keys.
_NO_DEFAULT = {
    "tasks[].name",
    "columns[].title",
    "leaderboards[].primary_index",
    "columns.KEY.label",
    "leaderboards.KEY.label",
}


def reference() -> str:
    """All keys of both dialects in Markdown, a table for each mapping."""
    codabench = codabench_keys()
    palio = [key for key in codabench if key.field.startswith("palio.")]
    others = [key for key in codabench if not key.field.startswith("palio.")]
    version = RecordedKey("version", False, None)
    lines = [
        _HEAD,
        "## `version: 2`",
        "Codabench's format, and Palio's own.",
        *_tables([version, *others]),
        "## `palio:`",
        "At the top, or under a phase, where it wins key by key. Other platforms ignore it.",
        *_tables(palio),
        "## Versions 1 to 1.8",
        "CodaLab's format. `N` stands for each number of a phase, `KEY` for each key of a leaderboard or column.",
        *_tables(codalab_keys()),
    ]
    return "\n".join(lines)


def _tables(keys: Sequence[RecordedKey]) -> Iterable[str]:
    used = [key for key in keys if not key.unused]
    parents = sorted({key.parent for key in used}, key=lambda parent: [key.parent for key in used].index(parent))
    for parent in sorted(parents, key=lambda parent: parent.count(".")):
        if parent:
            yield f"### `{parent}`"
        yield "\n| key | | allowed | default | meaning |\n|---|---|---|---|---|"
        yield from (_row(key) for key in used if key.parent == parent)
        yield ""
    unused = [key for key in keys if key.unused]
    if unused:
        yield "These keys have no effect:\n\n| key | because |\n|---|---|"
        yield from (f"| `{key.field}` | {key.unused} |" for key in unused)
        yield ""


def _row(key: RecordedKey) -> str:
    need = "required" if key.is_required else ""
    allowed = "2 or 1.5" if key.field == "version" else key.allowed.replace("|", "\\|")
    return f"| `{key.key}` | {need} | {allowed} | {_default(key)} | {meaning(key.field)} |"


def _default(key: RecordedKey) -> str:
    value = key.default
    depends = any(key.field.endswith(field) for field in _NO_DEFAULT)
    if key.is_required or depends or value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float) and key.reader is size:
        return size_text(int(value))
    if isinstance(value, int | float) and key.reader is duration:
        return duration_text(value)
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    print(reference(), end="")
