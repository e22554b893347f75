"""Turns the table that a MONAI bundle writes into the one that the scoring program reads.

MONAI's savers write no header, whole paths and numbers: `/mnt/in/000010.jpg,5.0`. Here, the path becomes the name of
the input, and a number, or a row of one value for each class, the name of a class. What fits neither stays as it is, so
that the scoring program judges it with all other problems of the table.

This runs after the predictions are collected, not in the container: there the bundle could change it, and its failures
would only be in a log that participants may not read. It reads what a submission wrote: a regular file of limited size,
as CSV and nothing else.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from palio.core.attempt.jobs import INPUT
from palio.core.bundle.model import MonaiPolicy
from palio.core.errors import PalioError
from palio.core.files.untrusted import UnreadableFileError, read_untrusted
from palio.core.quantities import MIB

MOST_BYTES = 64 * MIB
_SHOWN = 5


def convert_table(predictions: Path, inputs: Path, policy: MonaiPolicy) -> None:
    """Replaces the CSV file in `predictions` by the policy's. Raises PalioError "monai-output-unfit".

    `inputs` is the folder that the bundle read, with the names that it saw.
    """
    if policy.csv is None:
        return
    source = _table(predictions, policy.csv)
    try:
        text = read_untrusted(source, MOST_BYTES)
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except (UnreadableFileError, csv.Error) as fault:
        what = str(fault) if isinstance(fault, UnreadableFileError) else f"is not a CSV file: {fault}"
        raise _unfit(policy.csv, f"{source.relative_to(predictions)} {what}") from None
    names = _Names([path.relative_to(inputs).as_posix() for path in inputs.rglob("*") if path.is_file()])
    if rows and set(policy.columns) <= set(rows[0]):
        order = [rows[0].index(column) for column in policy.columns]
        rows = [[row[place] if place < len(row) else "" for place in order] for row in rows[1:]]
    converted = [[names.of(row[0]), *_predicted(row[1:], policy)] for row in rows]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([policy.columns, *converted])
    source.unlink()
    (predictions / policy.csv).write_text(written.getvalue(), encoding="utf-8")


class _Names:
    """The inputs, by any way in which a bundle names them."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = frozenset(paths)
        bases = Counter(PurePosixPath(path).name for path in paths)
        self._bases = {base: path for path in paths if bases[base := PurePosixPath(path).name] == 1}

    def of(self, written: str) -> str:
        """The input that is meant, or what was written."""
        name = written.strip().replace("\\", "/")
        relative = name.removeprefix(f"{INPUT}/").removeprefix("./")
        if relative in self._paths:
            return relative
        return self._bases.get(name.rpartition("/")[2], name)


def _predicted(values: list[str], policy: MonaiPolicy) -> list[str]:
    classes = policy.classes
    if not classes or len(policy.columns) != 2:  # the name of the input and one prediction
        return values
    numbers = [_number(value) for value in values]
    if len(classes) > 1 and len(values) == len(classes) and not any(map(math.isnan, numbers)):
        return [classes[numbers.index(max(numbers))]]
    if len(values) == 1 and values[0] not in classes and numbers[0] in range(len(classes)):
        return [classes[int(numbers[0])]]
    return values


def _number(text: str) -> float:
    """The number, or NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _table(predictions: Path, wanted: str) -> Path:
    """The CSV file with the predictions: the one of the wanted name, else the only one."""
    if (predictions / wanted).is_file():
        return predictions / wanted
    found = sorted(path for path in predictions.rglob("*") if path.suffix.lower() == ".csv")
    if len(found) == 1:
        return found[0]
    if not found:
        others = sorted(path.relative_to(predictions).as_posix() for path in predictions.rglob("*") if path.is_file())
        raise _unfit(wanted, "it wrote no CSV file", others)
    raise _unfit(wanted, "it wrote several CSV files", [path.relative_to(predictions).as_posix() for path in found])


def _unfit(file: str, reason: str, found: Sequence[str] = ()) -> PalioError:
    shown = [*found[:_SHOWN], *([f"and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else [])]
    return PalioError("monai-output-unfit", stage="predict", file=file, reason=reason, evidence=shown)
