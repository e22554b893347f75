"""The single cases behind a score: what the scoring program wrote for each.

Of the kind classification, a case has a true and a predicted class. Of all other kinds, it has numbers:

    probability   truth and prediction, or truth_LABEL and prediction_LABEL for each of several labels
    pairs         truth and prediction
    mean          the columns that the bundle's metrics name, such as dice
"""

import csv
import hashlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.errors import PalioError, counted
from palio.core.files.log import harmless
from palio.core.files.untrusted import UnreadableFileError, read_untrusted
from palio.core.statistics.metrics import Codes, Floats

DIFFERENT = "the submissions were scored on different cases; the organizers have to re-score them"
LIMIT_BYTES = 64 * 1024**2
_SHOWN = 20  # problems listed; the rest are counted
_BOUNDED = {  # what no such measure can be, by the name of its column
    **dict.fromkeys(("dice", "iou", "jaccard", "nsd", "precision", "recall", "sensitivity", "specificity"), (0.0, 1.0)),
    **dict.fromkeys(("hd", "hd95", "assd", "asd", "masd", "absolute_error", "squared_error"), (0.0, math.inf)),
}

_Row: TypeAlias = tuple[Any, ...]  # the name of a case, then a text or number for each column
_ReadField: TypeAlias = Callable[[str, str], Any]  # of a column and a field; raises ValueError with a clause


@dataclass(frozen=True)
class Cases:
    """One submission's true and predicted classes, in the order of the cases' names."""

    files: tuple[str, ...]
    truths: tuple[str, ...]
    predictions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Measurements:
    """One submission's numbers for each case, in the order of the cases' names; `groups` is empty without groups.

    `values` has the shape (n, columns). Of probabilities and pairs, the first half of the columns are the truth and the
    second half the predictions; `labels` names each half.
    """

    files: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    values: Floats
    has_truth: bool

    def is_about_same_cases(self, other: "Measurements") -> bool:
        """Whether both have the same cases, groups, labels and truth."""
        if (self.files, self.groups, self.labels) != (other.files, other.groups, other.labels):
            return False
        shared = len(self.labels) if self.has_truth else 0
        return bool(np.array_equal(self.values[:, :shared], other.values[:, :shared]))


SingleCases: TypeAlias = Cases | Measurements  # of one submission and one task


@dataclass(frozen=True, eq=False)
class Answers:
    """The predictions of M submissions for the same n cases, as class numbers; `digest` is that of the cases."""

    classes: tuple[str, ...]
    truth: Codes  # shape (n,)
    predictions: Codes  # shape (M, n)
    digest: str = ""

    @classmethod
    def of(cls, cases: Sequence[Cases]) -> "Answers":
        """Classes are all that occur, sorted. Raises ValueError if files or true classes differ."""
        first = cases[0]
        if any((other.files, other.truths) != (first.files, first.truths) for other in cases):
            raise ValueError(DIFFERENT)
        classes = sorted({*first.truths}.union(*(one.predictions for one in cases)))
        number = {name: index for index, name in enumerate(classes)}
        truth = np.array([number[name] for name in first.truths], dtype=np.intp)
        predictions = np.array([[number[name] for name in one.predictions] for one in cases], dtype=np.intp)
        return cls(tuple(classes), truth, predictions, _digest(first.files, first.truths))

    def joined(self, other: "Answers") -> "Answers":
        """These submissions, then the others. Raises ValueError if their cases differ."""
        if self.digest != other.digest:
            raise ValueError(DIFFERENT)
        classes = sorted({*self.classes, *other.classes})
        number = {name: index for index, name in enumerate(classes)}
        own, new = (np.array([number[name] for name in each.classes], dtype=np.intp) for each in (self, other))
        if len(classes) == len(self.classes):  # else all class numbers may change
            return replace(self, predictions=np.concatenate([self.predictions, new[other.predictions]]))
        predictions = np.concatenate([own[self.predictions], new[other.predictions]])
        return Answers(tuple(classes), own[self.truth], predictions, self.digest)

    def chosen(self, places: Sequence[int]) -> "Answers":
        """Some of the submissions, by their places."""
        if [*places] == [*range(self.submissions)]:
            return self
        return replace(self, predictions=self.predictions[[*places]])

    @property
    def cases(self) -> int:
        return len(self.truth)

    @property
    def submissions(self) -> int:
        return len(self.predictions)


@dataclass(frozen=True, eq=False)
class Values:
    """The numbers of M submissions for the same n cases; `units` numbers the groups, or the cases without groups.

    `digest` is that of the cases.
    """

    labels: tuple[str, ...]
    values: Floats  # shape (M, n, columns)
    units: Codes  # shape (n,)
    has_groups: bool
    has_classes: bool  # the truth of a single label is 0 or 1, and both occur
    digest: str = ""

    @classmethod
    def of(cls, cases: Sequence[Measurements]) -> "Values":
        """Raises ValueError if cases, groups, labels or truth differ."""
        first = cases[0]
        if not all(first.is_about_same_cases(other) for other in cases):
            raise ValueError(DIFFERENT)
        units = np.unique(first.groups, return_inverse=True)[1] if first.groups else np.arange(len(first.files))
        truth = first.values[:, 0]
        has_classes = first.has_truth and len(first.labels) == 1 and {*np.unique(truth)} == {0, 1}
        shared = first.values[:, : len(first.labels) if first.has_truth else 0]
        digest = _digest(first.files, first.groups, first.labels, [hashlib.sha256(shared.tobytes()).hexdigest()])
        values = np.stack([one.values for one in cases])
        return cls(first.labels, values, units, bool(first.groups), has_classes, digest)

    def joined(self, other: "Values") -> "Values":
        """These submissions, then the others. Raises ValueError if their cases differ."""
        if self.digest != other.digest:
            raise ValueError(DIFFERENT)
        return replace(self, values=np.concatenate([self.values, other.values]))

    def chosen(self, places: Sequence[int]) -> "Values":
        """Some of the submissions, by their places."""
        if [*places] == [*range(self.submissions)]:
            return self
        return replace(self, values=self.values[[*places]])

    @property
    def submissions(self) -> int:
        return len(self.values)

    @property
    def cases(self) -> int:
        return len(self.units)

    @property
    def unit_count(self) -> int:
        return int(self.units.max()) + 1


Compared: TypeAlias = Answers | Values  # M submissions on the cases of one task


def compared(cases: Sequence[SingleCases]) -> Compared:
    """Of submissions of one kind. Raises ValueError if they were scored on different cases."""
    classified = [one for one in cases if isinstance(one, Cases)]
    return Answers.of(classified) if classified else Values.of([one for one in cases if isinstance(one, Measurements)])


def joined(first: Sequence[Compared], second: Sequence[Compared]) -> list[Compared]:
    """For each task the submissions of both. Raises ValueError if their cases differ."""
    found: list[Compared] = []
    for one, other in zip(first, second, strict=True):
        if isinstance(one, Answers):
            if not isinstance(other, Answers):
                raise ValueError(DIFFERENT)  # of another kind, since the challenge has changed
            found.append(one.joined(other))
        else:
            if not isinstance(other, Values):
                raise ValueError(DIFFERENT)
            found.append(one.joined(other))
    return found


def _digest(*parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_cases(path: Path) -> Cases:
    """Reads a CSV file with one row for each case and the columns file (or case), truth and prediction.

    Raises FileNotFoundError if it is missing, PalioError "scores-invalid" with all problems at once.
    """
    rows = _read(path, lambda _: ("truth", "prediction"), _text)
    files, truths, predictions = zip(*rows, strict=True)
    return Cases(files, truths, predictions)


def read_measurements(path: Path, kind: str, metrics: Sequence[str] = (), group: str | None = None) -> Measurements:
    """The same for numbers. `metrics` are those of the bundle, which name the columns of the kind mean.

    Numbers are finite, the truth of a probability is 0 or 1, and a column named dice has values from 0 to 1.
    """
    named = dict.fromkeys(WrittenMetric.parse(metric).argument or "" for metric in metrics)
    labels: list[str] = []

    def columns(header: Sequence[str]) -> Sequence[str]:
        labels[:] = _labels(header) if kind == "probability" else [*named] if kind == "mean" else [""]
        halves = (
            [labels]
            if kind == "mean"
            else [[f"{half}_{label}" if label else half for label in labels] for half in ("truth", "prediction")]
        )
        return [*(name for half in halves for name in half), *([group] if group else [])]

    are_probabilities = bool({"brier", "ece"} & {WrittenMetric.parse(metric).name for metric in metrics})
    rows = _read(path, columns, partial(_number, kind, group, are_probabilities))
    files, *fields = zip(*rows, strict=True)
    groups = fields.pop() if group else ()
    values = np.array(fields, dtype=np.float64).T
    return Measurements(files, tuple(map(str, groups)), tuple(labels), values, has_truth=kind != "mean")


def _labels(header: Sequence[str]) -> list[str]:
    """The empty label stands for a single, unnamed one."""
    labels = [name.removeprefix("truth_") for name in header if name.startswith("truth_")]
    return [""] if "truth" in header or not labels else labels


def _text(_: str, field: str) -> str:
    return sys.intern(field)  # classes repeat


def _number(kind: str, group: str | None, are_probabilities: bool, column: str, field: str) -> float | str:
    if column == group:
        return _text(column, field)
    shown = repr(field[:40])
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is {shown}, which is not a finite number")
    is_truth = column.partition("_")[0] == "truth"
    if kind == "probability" and is_truth and value not in (0, 1):
        raise ValueError(f"{column} is {shown}; it must be 0 or 1")
    low, high = -math.inf, math.inf
    if kind == "mean":
        low, high = _BOUNDED.get(column.lower(), (low, high))
    elif kind == "probability" and are_probabilities:
        low, high = 0.0, 1.0
    if not low <= value <= high:
        allowed = f"lie from {low:g} to {high:g}" if high < math.inf else f"be at least {low:g}"
        raise ValueError(f"{column} is {shown}; it must {allowed}")
    return value


def _read(path: Path, columns: Callable[[Sequence[str]], Sequence[str]], read: _ReadField) -> list[_Row]:
    """The name of each case and its fields in these columns, read, in the order of the names."""
    try:
        rows = list(csv.reader(io.StringIO(read_untrusted(path, LIMIT_BYTES), newline=""), strict=True))
        found: list[_Row] = []
        problems = list(_problems(rows, columns, read, found))
    except (UnreadableFileError, csv.Error) as error:
        reason = error if isinstance(error, UnreadableFileError) else f"is not CSV: {error}"
        problems = [f"{path.name} {reason}"]
    if problems:
        more = [f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        count = counted(len(problems), "problem")
        evidence = [harmless(problem.encode("utf-8", "replace")) for problem in problems[:_SHOWN]] + more
        raise PalioError("scores-invalid", stage="score", file=path.name, count=count, evidence=evidence)
    return sorted(found, key=lambda row: row[0])


def _problems(
    rows: Sequence[Sequence[str]],
    columns: Callable[[Sequence[str]], Sequence[str]],
    read: _ReadField,
    found: list[_Row],
) -> Iterator[str]:
    """Problems of the rows; rows without any are added to `found`."""
    header = rows[0] if rows else []
    wanted = ["case" if "case" in header and "file" not in header else "file", *columns(header)]
    if missing := [name for name in wanted if header.count(name) != 1]:
        yield from (f"the first line must name the column {name} exactly once" for name in missing)
        return
    if not any(rows[1:]):
        yield "no cases below the first line"
        return
    yield from _row_problems(header, rows, {name: header.index(name) for name in wanted}, read, found)


def _row_problems(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    places: dict[str, int],
    read: _ReadField,
    found: list[_Row],
) -> Iterator[str]:
    (case, place_of_case), *others = places.items()
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            yield f"row {number}: {counted(len(row), 'field')}, but the first line has {len(header)}"
            continue
        file, fields = row[place_of_case], list[Any]()
        if not file:
            yield f"row {number}: no {case}"
        for name, place in others:
            try:
                if not row[place]:
                    raise ValueError(f"no {name}")
                fields.append(read(name, row[place]))
            except ValueError as fault:
                yield f"row {number}: {fault}"
        if file in seen:
            yield f"row {number}: {file!r} is already in row {seen[file]}"
        seen.setdefault(file, number)
        found.append((file, *fields))
