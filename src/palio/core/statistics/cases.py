"""The single cases behind a score: the true class and the predicted class of each."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palio.core.errors import PalioError, counted
from palio.core.files.log import harmless
from palio.core.files.untrusted import UnreadableFileError, read_untrusted
from palio.core.statistics.metrics import Codes

COLUMNS = ("file", "truth", "prediction")
LIMIT_BYTES = 64 * 1024**2
_SHOWN = 20  # problems listed; the rest are counted


@dataclass(frozen=True)
class Cases:
    """One submission's cases, in the order of their files."""

    files: tuple[str, ...]
    truths: tuple[str, ...]
    predictions: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """The predictions of M submissions for the same n cases, as class numbers."""

    classes: tuple[str, ...]
    truth: Codes  # shape (n,)
    predictions: Codes  # shape (M, n)

    @classmethod
    def of(cls, cases: Sequence[Cases]) -> "Answers":
        """Classes are all that occur, sorted. Raises ValueError if files or true classes differ."""
        first = cases[0]
        if any((other.files, other.truths) != (first.files, first.truths) for other in cases):
            raise ValueError("the submissions were scored on different cases")
        classes = sorted({*first.truths}.union(*(one.predictions for one in cases)))
        number = {name: index for index, name in enumerate(classes)}
        truth = np.array([number[name] for name in first.truths], dtype=np.intp)
        predictions = np.array([[number[name] for name in one.predictions] for one in cases], dtype=np.intp)
        return cls(tuple(classes), truth, predictions)


def read_cases(path: Path) -> Cases:
    """Reads a CSV file with one row for each case and the columns file, truth and prediction; others are ignored.

    Raises FileNotFoundError if it is missing, PalioError "scores-invalid" with all problems at once.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_untrusted(path, LIMIT_BYTES), newline=""), strict=True))
        problems = _problems(rows)
    except (UnreadableFileError, csv.Error) as error:
        reason = error if isinstance(error, UnreadableFileError) else f"is not CSV: {error}"
        problems = [f"{path.name} {reason}"]
    if problems:
        more = [f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        count = counted(len(problems), "problem")
        evidence = [harmless(problem.encode("utf-8", "replace")) for problem in problems[:_SHOWN]] + more
        raise PalioError("scores-invalid", stage="score", file=path.name, count=count, evidence=evidence)
    places = [rows[0].index(name) for name in COLUMNS]
    files, truths, predictions = zip(*sorted([row[place] for place in places] for row in rows[1:] if row), strict=True)
    return Cases(files, truths, predictions)


def _problems(rows: Sequence[Sequence[str]]) -> list[str]:
    header = rows[0] if rows else []
    if missing := [name for name in COLUMNS if header.count(name) != 1]:
        return [f"the first line must name the column {name} exactly once" for name in missing]
    if not any(rows[1:]):
        return ["no cases below the first line"]
    return list(_row_problems(header, rows))


def _row_problems(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    places = {name: header.index(name) for name in COLUMNS}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            yield f"row {number}: {counted(len(row), 'field')}, but the first line has {len(header)}"
            continue
        yield from (f"row {number}: no {name}" for name, place in places.items() if not row[place])
        file = row[places["file"]]
        if file in seen:
            yield f"row {number}: {file!r} is already in row {seen[file]}"
        seen.setdefault(file, number)
