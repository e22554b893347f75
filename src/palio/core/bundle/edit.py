"""Edits of a bundle that need no other program: dates, submission limits and limits of stages, and texts of pages.

competition.yaml keeps its comments and its layout. Dates and limits are edited in files of version 2 only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from palio.core.bundle.model import Bundle, Phase
from palio.core.bundle.read import NAME
from palio.core.bundle.readers import integer
from palio.core.bundle.times import end_moment, moment
from palio.core.bundle.units import duration, number, size
from palio.core.bundle.values import Findings, Refused, Scalar, Value
from palio.core.bundle.yaml_edit import with_value
from palio.core.bundle.yaml_source import parse_bytes, read_yaml
from palio.core.errors import PalioError, counted
from palio.core.quantities import GIB, MIB
from palio.core.sentences import Sentence

TERMS = "terms"  # the name of the terms among the texts; pages are named by their file
MAX_TEXT_CHARACTERS = 500_000


@dataclass(frozen=True)
class Field:
    """An editable value of a phase: `shown` as text, `read` from text, and where it is below the phase."""

    key: str
    title: str
    where: tuple[str, ...]
    shown: Callable[[Phase], str]
    read: Callable[[Value], object]
    may_be_empty: bool = False
    example: str = ""


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S+00:00}".replace(":00+00:00", " UTC")


def _size(size_bytes: int) -> str:
    for unit_bytes, unit in ((GIB, "GiB"), (MIB, "MiB")):
        if size_bytes % unit_bytes == 0:
            return f"{size_bytes // unit_bytes} {unit}"
    return str(size_bytes)


def _count(most: int | None) -> str:
    return "" if most is None else str(most)


_STAGES = {"build": Sentence("Build"), "predict": Sentence("Predict"), "score": Sentence("Score")}


def _of_stage(stage: str) -> Iterator[Field]:
    def limits(phase: Phase) -> Any:
        return getattr(phase.rules, stage)

    where = ("palio", "limits", stage)
    title = _STAGES[stage]
    yield Field(
        f"{stage}_time",
        Sentence("%(stage)s: time", stage=title),
        (*where, "time"),
        lambda of: f"{limits(of).time_s:g} s",
        duration,
        example="30 min",
    )
    yield Field(
        f"{stage}_memory",
        Sentence("%(stage)s: memory", stage=title),
        (*where, "memory"),
        lambda of: _size(limits(of).memory_bytes),
        size,
        example="8 GiB",
    )
    if stage != "build":
        yield Field(
            f"{stage}_cpus",
            Sentence("%(stage)s: CPUs", stage=title),
            (*where, "cpus"),
            lambda of: f"{limits(of).cpus:g}",
            number(0.1, 1024),
            example="2",
        )


_TIME_EXAMPLE = "2026-03-31 23:59 UTC"
FIELDS = (
    Field("start", Sentence("Opens"), ("start",), lambda of: _time(of.start), moment, example=_TIME_EXAMPLE),
    Field(
        "end",
        Sentence("Closes"),
        ("end",),
        lambda of: _time(of.end),
        end_moment,
        may_be_empty=True,
        example=_TIME_EXAMPLE,
    ),
    Field(
        "max_submissions_per_day",
        Sentence("Submissions per day"),
        ("max_submissions_per_day",),
        lambda of: _count(of.max_submissions_per_day),
        integer(1, 1_000_000),
        may_be_empty=True,
        example="5",
    ),
    Field(
        "max_submissions",
        Sentence("Submissions in total"),
        ("max_submissions",),
        lambda of: _count(of.max_submissions),
        integer(1, 1_000_000),
        may_be_empty=True,
        example="100",
    ),
    *(each for stage in _STAGES for each in _of_stage(stage)),
)
_BY_KEY = {each.key: each for each in FIELDS}


@dataclass(frozen=True)
class Edit:
    """New values as they are typed. `phases`: by name, values by the keys of FIELDS, where an empty one means no limit.
    `texts`: by the file of the page or TERMS.
    """

    phases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def has_editable_phases(bundle: Bundle) -> bool:
    """Whether competition.yaml is of version 2, whose dates and limits can be edited."""
    return _phase_list(_tree(bundle)) is not None


def shown_values(phase: Phase) -> dict[str, str]:
    """The values of a phase as a form shows them, by the keys of FIELDS."""
    return {each.key: each.shown(phase) for each in FIELDS}


def texts_of(bundle: Bundle) -> dict[str, tuple[str, Path]]:
    """The editable texts, by their names: title and file."""
    found = {page.file.relative_to(bundle.root).as_posix(): (page.title, page.file) for page in bundle.pages}
    return found | ({TERMS: ("Terms", bundle.terms)} if bundle.terms else {})


def edited_files(bundle: Bundle, edit: Edit) -> dict[str, bytes]:
    """The new content of the files that the edit changes, by their paths in the bundle; empty if nothing changes.

    Raises PalioError "edit-invalid" listing all bad values, or "edit-impossible".
    """
    problems: list[str] = []
    settings = list(_settings(bundle, edit, problems))
    files = dict(_texts(bundle, edit, problems))
    if problems:
        raise PalioError("edit-invalid", count=counted(len(problems), "value"), evidence=problems)
    if settings:
        files[NAME] = edited_yaml(bundle, settings)
    return files


def edited_yaml(bundle: Bundle, settings: Sequence[tuple[tuple[str | int, ...], str | None]]) -> bytes:
    """competition.yaml with these values, and none other changed. Raises PalioError "edit-impossible"."""
    raw = (bundle.root / NAME).read_bytes().decode("utf-8-sig")
    wanted = _plain(_tree(bundle))
    text = raw
    for path, value in settings:
        try:
            text = with_value(text, path, value)
        except ValueError as error:
            raise _impossible(path, str(error)) from None
        _put(wanted, path, value)
    findings = Findings(NAME)
    tree = parse_bytes(text.encode(), findings)
    if tree is None or findings.errors or _plain(tree) != wanted:
        raise _impossible(settings[-1][0], "another value would change with it")
    return text.encode()


def _impossible(path: Sequence[str | int], reason: str) -> PalioError:
    return PalioError("edit-impossible", field=".".join(str(step) for step in path), reason=reason)


def _settings(bundle: Bundle, edit: Edit, problems: list[str]) -> Iterator[tuple[tuple[str | int, ...], str | None]]:
    by_name = {phase.name: phase for phase in bundle.phases}
    tree = _tree(bundle)
    places, is_native = _places(tree), _is_native(tree)
    for name, values in edit.phases.items():
        phase = by_name.get(name)
        if phase is None:
            problems.append(f"phase “{name}”: is not in this challenge; use one of {', '.join(by_name)}")
            continue
        for key, typed in values.items():
            found = _BY_KEY.get(key)
            if found is None:
                problems.append(f"“{name}”, {key}: cannot be edited; use one of {', '.join(_BY_KEY)}")
                continue
            given = " ".join(typed.replace("\0", "").split())
            if given == found.shown(phase):
                continue
            if problem := _problem(found, given):
                problems.append(f"“{name}”, {found.title.lower()}: {problem}")
            elif places is None:
                raise PalioError("edit-impossible", field=key, reason="the file is not of version 2")
            elif found.where[0] == "palio" and not is_native:
                raise PalioError(
                    "edit-impossible", field=key, reason="a block `palio` would change other defaults, too"
                )
            else:
                yield ("phases", places[phase.index], *found.where), given or None


def _problem(found: Field, given: str) -> str:
    """Why a value is refused; empty if it is not."""
    if not given:
        return "" if found.may_be_empty else f"is empty; write a value such as {found.example}"
    findings = Findings(NAME)
    try:
        found.read(Value(findings, 1, found.key, Scalar(given, "str")))
    except Refused as refused:
        return str(refused)
    return ""


def _texts(bundle: Bundle, edit: Edit, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    known = texts_of(bundle)
    for name, typed in edit.texts.items():
        if name not in known:
            problems.append(f"text “{name}”: is not in this challenge; use one of {', '.join(known)}")
            continue
        title, path = known[name]
        if not typed.strip() or len(typed) > MAX_TEXT_CHARACTERS:
            problems.append(f"“{title}”: has {len(typed):,} characters; write from 1 to {MAX_TEXT_CHARACTERS:,}")
            continue
        before = path.read_bytes().decode("utf-8", errors="replace")
        text = _lines(typed.replace("\0", ""))
        if text == _lines(before):
            continue
        if "\r\n" in before:
            text = text.replace("\n", "\r\n")
        yield path.relative_to(bundle.root).as_posix(), text.encode()


def _lines(text: str) -> str:
    """With the line ends of Unix, one of them at the end; browsers send others."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"


def _is_native(tree: Value) -> bool:
    """Whether it has a block `palio`; without one, Codabench's defaults apply to what it does not say."""
    return any(
        isinstance(each.content, dict) and "palio" in each.content for each in (tree, *(_phase_list(tree) or ()))
    )


def _places(tree: Value) -> dict[int, int] | None:
    """For the index of each phase its place in the file, which may list them in another order."""
    listed = _phase_list(tree)
    if listed is None:
        return None
    keys = [int(index.content.text) if (index := _index(phase)) is not None else 0 for phase in listed]
    order = sorted(range(len(listed)), key=lambda place: keys[place])
    return dict(enumerate(order))


def _index(phase: Value) -> Any:
    found = phase.content.get("index") if isinstance(phase.content, dict) else None
    return found if found is not None and isinstance(found.content, Scalar) and found.content.text.isdigit() else None


def _phase_list(tree: Value) -> tuple[Value, ...] | None:
    """None if the file is not of version 2."""
    phases = tree.content.get("phases") if isinstance(tree.content, dict) else None
    content = phases.content if phases else None
    if not isinstance(content, tuple) or not all(isinstance(each.content, dict) for each in content):
        return None
    return content if all("start" in each.content for each in content if isinstance(each.content, dict)) else None


def _tree(bundle: Bundle) -> Value:
    tree = read_yaml(bundle.root / NAME, Findings(NAME))
    if tree is None:
        raise PalioError("source-unreadable", path=NAME, reason="it is no YAML")
    return tree


def _plain(value: Value) -> Any:
    match value.content:
        case Scalar():
            return None if value.is_null else value.content.text
        case tuple():
            return [_plain(each) for each in value.content]
    return {key: _plain(each) for key, each in value.content.items()}


def _put(tree: Any, path: Sequence[str | int], value: str | None) -> None:
    for step in path[:-1]:
        if isinstance(tree, dict) and tree.get(str(step)) is None:
            tree[str(step)] = {}
        tree = tree[step]
    tree[path[-1]] = value
