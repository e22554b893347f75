"""Compares two bundles and lists what participants need to know about the new one.

Covered: texts, dates, limits and rules, columns, programs and data. Programs and data are compared by digest, so hidden
content is never quoted. Not covered: files that competition.yaml does not name, and the order of keys.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar

from palio.core.bundle.model import Bundle, Column, Leaderboard, Phase, Task
from palio.core.files.digest import UnfitFile, digest_file
from palio.core.files.tree import digest_copy
from palio.core.quantities import duration_text, size_text

_Part = TypeVar("_Part", Phase, Task)
_NOTHING = "–"
_SHOWN_CHARACTERS = 4000  # of a text's lines, for each side
_SHOWN_DIGITS = 12
_BYTES, _SECONDS = "_bytes", "_s"


@dataclass(frozen=True)
class Change:
    """One difference, with the old and new value as text. For long texts, the values are the changed lines."""

    what: str
    old: str
    new: str


def differences(old: Bundle, new: Bundle) -> tuple[Change, ...]:
    """Every difference, in the order of the file. Empty if nothing relevant changed."""
    return tuple(_differences(old, new))


def _differences(old: Bundle, new: Bundle) -> Iterator[Change]:
    yield from _values("", _facts(old), _facts(new))
    yield from _texts(_pages(old), _pages(new))
    yield from _all("phase", _named(old.phases, _phase), _named(new.phases, _phase))
    yield from _all("task", _named(old.tasks, _task), _named(new.tasks, _task))
    yield from _all("column", _columns(old), _columns(new))
    yield from _all(
        "leaderboard", *({board.key: _board(board) for board in each.more_leaderboards} for each in (old, new))
    )
    yield from _all("question", *({each.key: dict(_flat("", each)) for each in of.fact_sheet} for of in (old, new)))


def _facts(bundle: Bundle) -> dict[str, str]:
    return {
        "title": bundle.title,
        "description": bundle.description,
        "logo": _digest(bundle.logo),
        **dict(_flat("", bundle.presentation)),
        "registration": "approved automatically" if bundle.auto_approve else "approved by an organizer",
        "image of the scoring program": bundle.docker_image,
        "leaderboard": bundle.leaderboard.title,
        **{f"leaderboard: {what}": value for what, value in _board(bundle.leaderboard).items() if what != "title"},
    }


def _board(board: Leaderboard) -> dict[str, str]:
    return {
        "title": board.title,
        "shown": "no" if board.hidden else "yes",
        "ranked by": board.primary.title,
        "submission rule": board.submission_rule,
    }


def _columns(bundle: Bundle) -> dict[str, dict[str, str]]:
    """Those of the first leaderboard by their keys, the others with their leaderboard's."""
    return {
        column.key if board is bundle.leaderboard else f"{board.key}: {column.key}": _column(column)
        for board in bundle.leaderboards
        for column in board.columns
    }


def _pages(bundle: Bundle) -> dict[str, str]:
    texts = {f"page “{page.title}”": _read(page.file) for page in bundle.pages}
    return texts | ({"terms": _read(bundle.terms)} if bundle.terms else {})


def _named(parts: Iterable[_Part], facts: Callable[[_Part], dict[str, str]]) -> dict[str, dict[str, str]]:
    return {part.name: facts(part) for part in parts}


def _phase(phase: Phase) -> dict[str, str]:
    return {
        "description": phase.description,
        "opens": _text(phase.start),
        "closes": _text(phase.end),
        "submissions per day": _count(phase.max_submissions_per_day),
        "submissions in total": _count(phase.max_submissions),
        "tasks": ", ".join(task.name for task in phase.tasks),
        "leaderboards": ", ".join(phase.leaderboards),
        "moves submissions to the next phase": _text(phase.auto_migrate),
        "output hidden": _text(phase.hide_output),
        "predictions hidden": _text(phase.hide_prediction_output),
        "report hidden": _text(phase.hide_score_output),
        "starting kit": _digest(phase.starting_kit),
        "public data": _digest(phase.public_data),
        **dict(_flat("", phase.rules)),
    }


def _task(task: Task) -> dict[str, str]:
    return {
        "description": task.description,
        "scoring program": _digest(task.scoring_program, executable=True),
        "ingestion program": _digest(task.ingestion_program, executable=True),
        "input data": _digest(task.input_data),
        "reference data": _digest(task.reference_data),
    }


def _column(column: Column) -> dict[str, str]:
    return dict(_flat("", column))


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Yields the fields of a value and of nested values. `limits of predict: time` is named `predict time`."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            name = field.name.removesuffix(_BYTES).removesuffix(_SECONDS).replace("_", " ")
            unit = next((unit for unit in (_BYTES, _SECONDS) if field.name.endswith(unit)), "")
            inner = getattr(value, field.name)
            if unit and isinstance(inner, int | float):
                yield f"{prefix}{name}", _quantity(inner, unit)
            else:
                yield from _flat(f"{prefix}{name} ", inner)
    elif isinstance(value, Path):
        yield prefix.strip(), _digest(value)
    else:
        yield prefix.strip(), _text(value)


def _quantity(number: float, unit: str) -> str:
    return size_text(number) if unit == _BYTES else duration_text(number)


def _all(kind: str, old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]) -> Iterator[Change]:
    for name in {**old, **new}:
        if name not in new:
            yield Change(f"{kind} “{name}”", "present", "removed")
        elif name not in old:
            yield Change(f"{kind} “{name}”", "absent", "added")
        else:
            yield from _values(f"{kind} “{name}”: ", old[name], new[name])


def _values(prefix: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in {**old, **new}:
        before, after = old.get(name, _NOTHING), new.get(name, _NOTHING)
        if before != after:
            yield Change(f"{prefix}{name}", before, after)


def _texts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in {**old, **new}:
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        if before == after and (name in old) == (name in new):
            continue
        lines = list(difflib.ndiff(before, after)) if len(before) + len(after) < 2000 else []
        removed = [line[2:] for line in lines if line.startswith("- ") and line[2:].strip()]
        added = [line[2:] for line in lines if line.startswith("+ ") and line[2:].strip()]
        if removed or added:
            yield Change(name, _cut(removed), _cut(added))
        else:
            yield Change(name, "unchanged apart from", "empty lines, or too long to show")


def _cut(lines: list[str]) -> str:
    text = "\n".join(lines)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _text(value: object) -> str:
    match value:
        case None | () | "":
            return _NOTHING
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M} UTC"
        case Enum():
            return str(value.value)
        case tuple():
            return ", ".join(_text(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return " ".join(f"{name} {text}" for name, text in _flat("", value))
    return str(value)


def _count(most: int | None) -> str:
    return "unlimited" if most is None else str(most)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _digest(path: Path | None, *, executable: bool = False) -> str:
    if path is None or not path.exists():
        return _NOTHING
    try:
        digest = digest_copy(path, executable=executable) if path.is_dir() else digest_file(path)
    except (UnfitFile, OSError):
        return "unreadable"
    return f"sha256 {digest[:_SHOWN_DIGITS]}"
