"""Renames correct predictions as a submission that sees opaque names would write them, and restores them, to show
whether names get lost on the way. Nothing runs.
"""

import csv
import io
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from palio.core.attempt.blind import Names, draw_names
from palio.core.attempt.restore import JSON_TEXT, RUN, restore_all
from palio.core.bundle.contents import contents_of
from palio.core.bundle.model import BlindPolicy, Task


def renamed_and_restored(answers: Path, task: Task, policy: BlindPolicy, target: Path) -> bool:
    """Writes the predictions of the folder `answers` to the new folder `target`, as they come back from a submission
    that sees the inputs of the task under opaque names. Returns whether they are the same.

    The first column of a CSV file that names only inputs is renamed even if the policy does not restore it, as are
    names in JSON files: a submission has no other names. Rows of CSV files may change places. Raises PalioError
    "blind-unfit", and what `restore_all` raises.
    """
    if task.input_data is None:
        shutil.copytree(answers, target)
        return True
    inputs = contents_of(task.input_data)
    names = draw_names(inputs.names, policy, inputs.head)
    opaque = Opaque(names)
    columns = {restore.csv: restore for restore in policy.restore}
    target.mkdir(parents=True)
    paths = sorted(path for path in answers.rglob("*") if path.is_file())
    for path in paths:
        name = path.relative_to(answers).as_posix()
        written = target / (opaque.spelled(name) or name)
        written.parent.mkdir(parents=True, exist_ok=True)
        column = columns[name].column if name in columns else _column_of_names(path, opaque)
        if column is not None:
            written.write_text(_with_opaque_column(path, column, opaque), encoding="utf-8")
        elif path.suffix.lower() == ".json":
            text = path.read_text(encoding="utf-8-sig", errors="replace")
            written.write_text(JSON_TEXT.sub(lambda match: _opaque_text(match[0], opaque), text), encoding="utf-8")
        else:
            shutil.copyfile(path, written)
    restore_all(target, policy, names)
    return _content(answers) == _content(target)


def _column_of_names(path: Path, opaque: "Opaque") -> str | None:
    if path.suffix.lower() != ".csv":
        return None
    header, *rows = _rows(path) or [[]]
    for number, column in enumerate(header):
        if rows and all(len(row) > number and opaque.is_name(row[number].strip()) for row in rows):
            return column
    return None


def _with_opaque_column(path: Path, name: str, opaque: "Opaque") -> str:
    rows = _rows(path)
    column = rows[0].index(name) if rows and name in rows[0] else -1
    for row in rows[1:] if column >= 0 else ():
        if len(row) > column:
            row[column] = opaque.spelled(row[column].strip()) or row[column]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _opaque_text(written: str, opaque: "Opaque") -> str:
    try:
        text = json.loads(written)
    except ValueError:
        return written
    return json.dumps(opaque.spelled(text)) if opaque.is_name(text) and not text.isdecimal() else written


def _content(folder: Path) -> Mapping[str, object]:
    """The files of the folder by name, comparable whatever the order of rows and the quoting."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() == ".csv" and path.is_file():
            found[name] = sorted(_rows(path))
        elif path.suffix.lower() == ".json" and path.is_file():
            found[name] = JSON_TEXT.sub(lambda match: _plain(match[0]), path.read_text("utf-8-sig", errors="replace"))
        elif path.is_file():
            found[name] = path.stat().st_size  # copied as it is
    return found


def _plain(written: str) -> str:
    try:
        return json.dumps(json.loads(written))
    except ValueError:
        return written


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        return [row for row in csv.reader(file) if row]


class Opaque:
    """Finds the opaque name that a submission would write for a real one."""

    def __init__(self, names: Names) -> None:
        self._paths: dict[str, str] = {}
        self._tokens: dict[str, dict[str, str]] = defaultdict(dict)  # by text and real folder
        bases: dict[str, str] = {}
        count = Counter(PurePosixPath(real).name for real in names.real.values())
        for opaque, real in names.real.items():
            self._paths[real] = opaque
            if opaque.count("/") == real.count("/"):
                folders = zip(PurePosixPath(real).parents, PurePosixPath(opaque).parents, strict=True)
                self._paths |= {str(was): str(now) for was, now in folders if str(was) != "."}
            if count[PurePosixPath(real).name] == 1:
                bases[PurePosixPath(real).name] = PurePosixPath(opaque).name
            for depth, part in enumerate(opaque.split("/")):
                for token in filter(names.hidden.__contains__, RUN.findall(part)):
                    self._tokens[names.hidden[token]]["/".join(real.split("/")[:depth])] = token
        self._paths = {**bases, **self._paths}
        words = "|".join(re.escape(word) for word in sorted(self._tokens, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])") if words else None

    def spelled(self, name: str) -> str | None:
        """The name in place of the real one; None if it names no input."""
        if name in self._paths:
            return self._paths[name]
        folder, _, rest = name.rpartition("/")
        if folder in self._paths:
            return f"{self._paths[folder]}/{self._replaced(rest, folder)}"
        if self._pattern is None or not self._pattern.search(name):
            return None
        return self._replaced(name, "")

    def is_name(self, text: str) -> bool:
        """Whether the text is nothing but the name of an input, its folder or case."""
        return text in self._paths or text in self._tokens

    def _replaced(self, text: str, folder: str) -> str:
        def token(match: re.Match[str]) -> str:
            tokens = self._tokens[match[0]]
            return tokens.get(folder) or next(iter(tokens.values()))

        return self._pattern.sub(token, text) if self._pattern else text
