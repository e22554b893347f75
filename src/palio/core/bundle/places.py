"""Finds the line of a value in competition.yaml again, for problems that show only when a bundle's files are read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from palio.core.bundle.model import Problem
from palio.core.bundle.values import Findings, Scalar, Value
from palio.core.bundle.yaml_source import read_yaml


class Places:
    """The values of a file by their dotted field, in file order."""

    def __init__(self, path: Path) -> None:
        document = read_yaml(path, Findings(path.name))
        found = sorted(_below(document), key=lambda value: value.line) if document else []
        self._file = path.name
        self._values = {value.field: value for value in found}

    def located(self, problem: Problem, written: str | None = None) -> Problem:
        """The problem with its line and whole field, which may be known only by its last keys.

        `written` is the value there, a path. Unchanged if there is no such place.
        """
        if problem.file != self._file or problem.line is not None or not problem.field:
            return problem
        for field, value in self._values.items():
            ends = field == problem.field or field.endswith(f".{problem.field}")
            if ends and (written is None or _path(value) == PurePosixPath(written)):
                return replace(problem, line=value.line, field=field)
        return problem


def _below(value: Value) -> Iterator[Value]:
    yield value
    content = value.content
    if not isinstance(content, Scalar):
        for part in content.values() if isinstance(content, dict) else content:
            yield from _below(part)


def _path(value: Value) -> PurePosixPath | None:
    return PurePosixPath(value.content.text.strip()) if isinstance(value.content, Scalar) else None
