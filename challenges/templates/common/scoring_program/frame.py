"""The frame of a scoring program: reads CSV files, refuses invalid predictions and writes the results.

    python score.py INPUT OUTPUT

INPUT/ref holds the reference, INPUT/res the predictions. OUTPUT receives

    scores.json     one number for each column of the leaderboard
    cases.csv       one row for each case: what the scores are made of
    problems.txt    instead of both: what is wrong with the predictions, one sentence per line

Exit status: 0 scored; 10 the predictions are invalid, and participants read problems.txt; anything else is a fault of
the scorer or of the reference, which only organizers read. Uses only the standard library.
"""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

Row = dict[str, Any]
Columns = Mapping[str, Callable[[str], Any]]  # names, and what reads a field or raises FieldError

PREDICTIONS_INVALID = 10  # the exit status that tells Palio to show problems.txt to the participant
SHOWN = 5  # examples of each problem
MOST = 1e100  # larger predictions are mistakes, and would make scores infinite


@dataclass(frozen=True)
class Scored:
    scores: Mapping[str, float]  # a number for each column of the leaderboard
    cases: Sequence[Row]  # one for each case, all with the same keys


class InvalidPredictionsError(Exception):
    """The predictions cannot be scored. The arguments are sentences for the participant."""


class FieldError(Exception):
    """A field of a CSV file is invalid. The argument is a sentence that says what to write instead."""


class TableError(Exception):
    """A CSV file is invalid. The arguments are sentences."""


def main(score: Callable[[Path, Path], Scored]) -> NoReturn:
    """Runs `score` on the folders of reference and predictions, writes what it returns, and exits."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        scored = score(source / "ref", source / "res")
    except InvalidPredictionsError as error:
        text = "".join(f"{sentence}\n" for sentence in error.args)
        (target / "problems.txt").write_text(text, encoding="utf-8")
        sys.stderr.write(text)
        sys.exit(PREDICTIONS_INVALID)
    # Plain floats: JSON does not know the number types of NumPy.
    scores = {key: float(value) for key, value in scored.scores.items()}
    (target / "scores.json").write_text(json.dumps(scores, allow_nan=False), encoding="utf-8")
    with (target / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(scored.cases[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(scored.cases)
    sys.exit(0)


def number(field: str) -> float:
    """Reads a finite number, of a size whose square is finite too."""
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not abs(value) <= MOST:
        raise FieldError("Write a finite number such as 0.25.")
    return value


def probability(field: str) -> float:
    """Reads a number from 0 to 1."""
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise FieldError("Write a number from 0 to 1.")
    return value


def one_of(values: Collection[str]) -> Callable[[str], str]:
    """Returns what reads one of these values."""

    def read(field: str) -> str:
        if field not in values:
            raise FieldError(f"Use one of {', '.join(values)}.")
        return field

    return read


def read_reference(folder: Path, columns: Columns, *, repeated: bool = False) -> list[Row]:
    """Reads the only CSV file in the reference data. Rows are sorted by `file`."""
    return _read_table(folder, columns, None, repeated=repeated)


def read_predictions(folder: Path, columns: Columns, reference: Sequence[Row], *, repeated: bool = False) -> list[Row]:
    """Reads the only CSV file in the predictions, which must name exactly the files of the reference.

    Rows are sorted by `file`. `repeated`: a file may have several rows. Raises InvalidPredictionsError with all
    problems.
    """
    try:
        return _read_table(folder, columns, {row["file"] for row in reference}, repeated=repeated)
    except TableError as error:
        raise InvalidPredictionsError(*error.args) from None


def _read_table(folder: Path, columns: Columns, wanted: Collection[str] | None, *, repeated: bool) -> list[Row]:
    # Names that begin with a dot are metadata of other systems, such as "._predictions.csv" in archives from a Mac.
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.name[0] != ".")
    if len(found) != 1:
        names = ",".join(("file", *columns))
        raise TableError(f"There are {len(found) or 'no'} CSV files; write exactly one, with the columns {names}.")
    path, rows, problems = found[0], list[Row](), _Problems(found[0].name)
    try:
        table = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        header = next(table, [])
        if missing := [name for name in ("file", *columns) if header.count(name) != 1]:
            raise TableError(
                f"The first line of {path.name} is {_shown(','.join(header))}; "
                f"it must name the column {', '.join(missing)} exactly once."
            )
        seen: set[str] = set()
        for fields in table:
            if not fields:  # an empty line
                continue
            where = f"line {table.line_num}"
            if len(fields) != len(header):
                problems.add("with too few or too many fields", f"Write {len(header)} fields in each row.", where)
                continue
            given = dict(zip(header, fields, strict=True))
            file = given["file"].strip()
            if not file or (wanted is not None and file not in wanted):
                problems.add("for unknown files", "Use the names of the input files.", f"{_shown(file)} ({where})")
            elif file in seen and not repeated:
                problems.add(
                    "for files named in an earlier row", "Write one row for each file.", f"{_shown(file)} ({where})"
                )
            seen.add(file)
            rows.append({"file": file, **_read_fields(given, columns, problems, where)})
    except UnicodeDecodeError:
        raise TableError(f"{path.name} is not UTF-8 text. Save it as UTF-8.") from None
    except csv.Error as error:
        raise TableError(f"{path.name} is not a valid CSV file: {error}. Check its quotation marks.") from None
    for file in sorted(set(wanted or ()) - seen):
        problems.add("missing", "Write a row for each input file.", _shown(file))
    if not rows and not problems:
        problems.add("missing", "Write a row for each input file.", "all of them")
    if problems:
        raise TableError(*problems.sentences())
    return sorted(rows, key=lambda row: str(row["file"]))


def _read_fields(given: Mapping[str, str], columns: Columns, problems: "_Problems", where: str) -> Row:
    row: Row = {}
    for name, read in columns.items():
        try:
            row[name] = read(given[name].strip())
        except FieldError as error:
            problems.add(f"with an invalid {name}", str(error), f"{_shown(given[name])} ({where})")
    return row


class _Problems(dict[tuple[str, str], list[str]]):
    """Examples of each kind of problem, with the advice against it."""

    def __init__(self, file: str) -> None:
        self.file = file

    def add(self, what: str, advice: str, example: str) -> None:
        self.setdefault((what, advice), []).append(example)

    def sentences(self) -> list[str]:
        return [
            f"{self.file} has {len(examples):,} {'row' if len(examples) == 1 else 'rows'} {what}: "
            f"{', '.join(examples[:SHOWN])}{', ...' if len(examples) > SHOWN else ''}. {advice}"
            for (what, advice), examples in self.items()
        ]


def _shown(foreign: str) -> str:
    """Text of a participant in quotes: short, on one line, without control characters."""
    return repr(foreign if len(foreign) <= 60 else foreign[:57] + "...")
