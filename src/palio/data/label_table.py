"""Reads an organizer's CSV of labels: which file or case has which label, group, split and strata."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading
from palio.data.layout import SPLITS

_SPLITS = {
    "train": "training", "training": "training", "tr": "training",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "testing", "testing": "testing", "ts": "testing", "hidden": "testing",
}  # fmt: skip
_SHOWN = 10
_BINS = 5  # of numbers with many values
_MOST_CLASSES = 20


@dataclass(frozen=True)
class Row:
    """One line of the table. Values are empty if there is no such column."""

    line: int
    name: str
    label: str
    group: str = ""
    split: str = ""
    strata: tuple[str, ...] = ()


def read_labels(
    path: Path,
    *,
    file_column: str,
    label_column: str | None,
    group_column: str | None = None,
    split_column: str | None = None,
    stratify_by: Sequence[str] = (),
) -> list[Row]:
    """Raises "source-unreadable", or "labels-invalid" with all problems by line."""
    header, lines = read_table(path)
    wanted = [file_column, label_column, group_column, split_column, *stratify_by]
    lacking = [column for column in wanted if column is not None and column not in header]
    if lacking:
        there = ", ".join(header) or "none"
        raise _invalid(path, [f"line 1: there is no column `{column}`; the columns are {there}" for column in lacking])
    at = {column: header.index(column) for column in wanted if column is not None}
    rows: dict[str, Row] = {}
    problems = []
    for line, values in lines:
        if len(values) != len(header):
            problems.append(f"line {line}: {counted(len(values), 'value')}, but {counted(len(header), 'column')}")
            continue
        given = {column: values[number] for column, number in at.items()}
        empty = [column for column, value in given.items() if not value]
        if empty:
            problems.append(f"line {line}: `{empty[0]}` is empty")
            continue
        name = given[file_column].replace("\\", "/").strip("/")
        split = _SPLITS.get(given[split_column].lower(), "") if split_column else ""
        if split_column and not split:
            problems.append(f"line {line}: `{split_column}` is {given[split_column]!r}; use train, validation or test")
        elif name in rows:
            problems.append(f"line {line}: {name} is already in line {rows[name].line}; keep one row for each case")
        else:
            label = given[label_column] if label_column else ""
            group = given[group_column] if group_column else ""
            rows[name] = Row(line, name, label, group, split, tuple(given[column] for column in stratify_by))
    if problems or not rows:
        raise _invalid(path, problems or ["line 2: there are no rows"])
    if split_column and (absent := [split for split in SPLITS if not any(row.split == split for row in rows.values())]):
        raise _invalid(path, [f"no row has the split {split}" for split in absent])
    return list(rows.values())


def columns_of(path: Path) -> list[str]:
    """Raises "source-unreadable" or "labels-invalid"."""
    return read_table(path)[0]


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the rows with their lines. Raises "source-unreadable" or "labels-invalid"."""
    with reading(path):
        content = path.read_bytes()
    return parse_table(content, path)


def parse_table(content: bytes, path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The same of a file that has been read. `path` is for messages."""
    try:
        text = content.decode("utf-8-sig")
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count) if first else ","
        table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = [name.strip() for name in next(table, [])]
        return header, [(table.line_num, [value.strip() for value in row]) for row in table if any(row)]
    except UnicodeDecodeError as error:
        raise _invalid(path, [f"byte {error.start}: not UTF-8; save the file as CSV in UTF-8"]) from error
    except csv.Error as error:
        raise _invalid(path, [f"it is not a CSV file: {error}"]) from error


def classes(labels: Sequence[str]) -> list[str]:
    """The strata of labels: the labels themselves, or for many different numbers, ranges with as many cases each."""
    if len(set(labels)) <= _MOST_CLASSES and len(set(labels)) * 3 <= len(labels):
        return list(labels)
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return list(labels)
    bins = min(_BINS, max(1, len(numbers) // 6))
    order = sorted(numbers)
    edges = [order[len(order) * number // bins] for number in range(bins)]
    return [f"from {max((edge for edge in edges if edge <= number), default=edges[0]):g}" for number in numbers]


def _invalid(path: Path, problems: Sequence[str]) -> PalioError:
    shown = [*problems[:_SHOWN], *([f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else [])]
    return PalioError("labels-invalid", path=path, count=counted(len(problems), "problem"), evidence=shown)
