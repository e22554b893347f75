"""The values of a user's file with their positions, and readers that convert or refuse them.

A reader is a function from a Value to the value that the program needs. It raises Refused with what was found and what
is allowed. `Section.read` calls a reader, records a refusal with file, line and field, and continues with the default,
so that one pass lists every problem. Keys that were never read are unknown and cause a warning.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from palio.core.bundle.model import Problem, Severity
from palio.core.bundle.wording import joined, nearest, quoted, suggestion

SHOWN_LINES = 8  # of a key that stands in many places

T = TypeVar("T")
D = TypeVar("D")


class Refused(Exception):  # noqa: N818 - names what happened to the value
    """A value was refused. The text is a sentence without its full stop."""


class Findings:
    """The problems of one file, each once, in line order. Keys without effect are grouped at the end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._problems: dict[Problem, None] = {}  # an ordered set
        self._unused: dict[str, dict[tuple[int, str], None]] = {}  # reason -> where

    def add(self, line: int | None, field_name: str, message: str, severity: Severity = Severity.ERROR) -> None:
        self._problems[Problem(self.file, line, field_name, message, severity)] = None

    def add_unused(self, line: int, field_name: str, reason: str) -> None:
        """Notes a key that the format has but Palio does not use."""
        self._unused.setdefault(reason, {})[line, field_name] = None

    def note_key(self, field_name: str, reader: object, default: object, *, is_required: bool) -> None:
        """Called for every key that a reader looks for. Only the reference of the format records this."""

    @property
    def all(self) -> tuple[Problem, ...]:
        """Errors and warnings in line order, then what has no effect."""
        return (*sorted(self._problems, key=lambda problem: problem.line or 0), *self._grouped())

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.all if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.all if problem.severity is Severity.WARNING)

    def _grouped(self) -> Iterator[Problem]:
        """One warning for all keys that are unused for the same reason."""
        for reason, places in sorted(self._unused.items(), key=lambda entry: min(entry[1])):
            (line, field), *others = sorted(places)
            if not others:
                yield Problem(self.file, line, field, f"is not used by Palio: {reason}", Severity.WARNING)
                continue
            named: dict[str, list[str]] = {}
            for at, name in sorted(places):
                named.setdefault(name.rpartition(".")[2], []).append(str(at))
            shown = [f"`{name}` (line {', '.join(lines[:SHOWN_LINES])})" for name, lines in named.items()]
            message = f"{len(places)} keys are not used by Palio: {reason}: {', '.join(shown)}"
            yield Problem(self.file, None, "", message, Severity.WARNING)


@dataclass(frozen=True)
class Scalar:
    """A single word, number or text. `kind` is its YAML type: str, int, float, bool, timestamp, null."""

    text: str
    kind: str


@dataclass(frozen=True)
class Value:
    """A scalar, list or mapping of the file, with its line (from 1) and dotted path."""

    findings: Findings
    line: int
    field: str
    content: "Scalar | tuple[Value, ...] | dict[str, Value]"

    @property
    def is_null(self) -> bool:
        return isinstance(self.content, Scalar) and self.content.kind == "null"

    @property
    def is_empty_text(self) -> bool:
        return isinstance(self.content, Scalar) and self.content.kind != "null" and not self.content.text.strip()

    @property
    def found(self) -> str:
        """Describes the value for the beginning of a sentence about it."""
        if isinstance(self.content, Scalar):
            return f"says {quoted(self.content.text)}"
        return "is a list" if isinstance(self.content, tuple) else "is a mapping"

    def error(self, message: str) -> None:
        self.findings.add(self.line, self.field, message)

    def warn(self, message: str) -> None:
        self.findings.add(self.line, self.field, message, Severity.WARNING)

    def section(self) -> "Section":
        if isinstance(self.content, dict):
            return Section(self, self.content)
        glued = isinstance(self.content, Scalar) and re.match(r"\w+:\S", self.content.text)
        space = ", with a space after the colon" if glued else ""
        self.error(f"{self.found}; write a mapping here: lines of `key: value`{space}")
        return Section(self, {}, is_unread=True)

    def items(self) -> "tuple[Value, ...]":
        """The elements of a list, or the values of a mapping, because older files number their lists."""
        if isinstance(self.content, tuple):
            return self.content
        if isinstance(self.content, dict):
            return tuple(self.content.values())
        self.error(f"{self.found}; write a list here: [a, b], or lines that start with `-`")
        return ()


class Section:
    """A mapping that remembers which keys were read."""

    def __init__(self, value: Value, entries: Mapping[str, Value], *, is_unread: bool = False) -> None:
        """`is_unread`: the value is no mapping, which was reported, so that no key of it is missing."""
        self.value = value
        self._is_unread = is_unread
        self._entries = entries
        self._read_keys: dict[str, None] = {}
        self._dropped: dict[str, str] = {}
        self._named: set[str] = set()  # unknown keys that were named as the likely spelling of a missing one
        self._parts: list[Section] = []

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def take(self, key: str) -> Value | None:
        """The value under `key`. Null and empty text count as absent, as on the platforms that files were made for."""
        self._read_keys[key] = None
        self._note(key)
        value = self._entries.get(key)
        if value is not None and value.is_empty_text:
            value.warn("is empty, so it is read as absent; write a value, or remove the key")
            return None
        return None if value is None or value.is_null else value

    def ignore(self, key: str) -> None:
        """Accepts a key that says nothing more, whatever its value."""
        self._read_keys[key] = None
        self._note(key)

    def is_null(self, key: str) -> bool:
        return key in self._entries and self._entries[key].is_null

    def read(self, key: str, reader: Callable[[Value], T], default: D) -> T | D:
        self._note(key, reader, default)
        value = self.take(key)
        return default if value is None else accept(value, reader, default)

    def require(self, key: str, reader: Callable[[Value], T], instead: D, advice: str) -> T | D:
        """Like `read`, but reports an absent key. `advice` says what to write; `instead` is used to continue."""
        self._note(key, reader, is_required=True)
        if self.take(key) is None:
            self.missing(key, advice)
        return self.read(key, reader, instead)

    def missing(self, key: str, advice: str) -> None:
        if self._is_unread:
            return
        near = nearest(key, (other for other in self._entries if other not in self._read_keys), cutoff=0.75)
        if near:
            self._named.add(near)
        unless = f" (did you mean {quoted(near)} in line {self._entries[near].line}?)" if near else ""
        self.value.findings.add(self.value.line, joined(self.value.field, key), f"is missing{unless}; {advice}")

    def adopt(self, value: Value) -> "Section":
        """Reads the value as a mapping that is finished together with this one."""
        part = value.section()
        self._parts.append(part)
        return part

    def section(self, key: str) -> "Section":
        """The mapping under `key`, empty if absent."""
        self._note(key, dict)
        value = self.take(key)
        return Section(self.value, {}) if value is None else self.adopt(value)

    def sections(self, key: str) -> "tuple[Section, ...]":
        """The mappings in the list under `key`, none if absent."""
        self._note(key, list)
        value = self.take(key)
        return () if value is None else tuple(self.adopt(item) for item in value.items())

    def require_sections(self, key: str, advice: str) -> "tuple[Section, ...]":
        """Like `sections`, but reports an empty or absent list. `advice` says what to write."""
        self._note(key, list, is_required=True)
        value = self.take(key)
        if value is None or value.content in ((), {}):
            self.missing(key, advice)
            return ()
        return self.sections(key)

    def _note(self, key: str, reader: object = None, default: object = None, *, is_required: bool = False) -> None:
        self.value.findings.note_key(joined(self.value.field, key), reader, default, is_required=is_required)

    def drop(self, reasons: Mapping[str, str]) -> None:
        """Marks keys that the format has but Palio does not use, each with a reason or an alternative."""
        for key, reason in reasons.items():
            self._note(key, reason)
        self._dropped.update(reasons)

    def finish(self) -> None:
        """Warns about every key that was not read, here and in nested sections."""
        for key, value in self._entries.items():
            if key in self._dropped:
                if not value.is_null and not value.is_empty_text:
                    value.findings.add_unused(value.line, value.field, self._dropped[key])
            elif key not in self._read_keys and key not in self._named:
                known = [*self._read_keys, *self._dropped]
                value.warn(f"is an unknown key and is ignored{suggestion(key, known)}")
        for part in self._parts:
            part.finish()


def accept(value: Value, reader: Callable[[Value], T], default: D) -> T | D:
    """Returns the reader's result, or records the refusal and returns the default."""
    try:
        return reader(value)
    except Refused as refusal:
        value.error(str(refusal))
        return default


def inner(value: Value | None, *keys: str) -> Value | None:
    """The value under nested keys, or None."""
    for key in keys:
        value = value.content.get(key) if value is not None and isinstance(value.content, dict) else None
    return value


def merged(under: Value | None, over: Value | None) -> Value | None:
    """Merges both values: `over` wins, key by key if both are mappings."""
    if under is None or over is None:
        return over if under is None else under
    if not (isinstance(under.content, dict) and isinstance(over.content, dict)):
        return over
    content = dict(under.content)
    for key, value in over.content.items():
        content[key] = merged(content.get(key), value) or value
    return Value(over.findings, over.line, over.field, content)
