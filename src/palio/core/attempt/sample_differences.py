"""Compares the predictions of two runs of the same submission on the same public cases, file by file.

The order of rows is not compared, because the inputs have other opaque names in each run, nor is the time that gzip
writes into its files. Works on files that a submission wrote: call it in a child process with limits. Not covered:
files whose format has a time of its own, such as a zip; they differ although their content does not.
"""

import csv
import gzip
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from palio.core.attempt.jobs import METADATA
from palio.core.quantities import MIB

_MOST_TABLE_BYTES = 32 * MIB  # a larger table is compared as it is
_MOST_FILES = 20  # that are named
_CHUNK_BYTES = MIB


@dataclass(frozen=True)
class FileDifference:
    """A file of which the runs differ. `only_in` is 1 or 2 if the other run did not write it.

    `rows` and `differing` count a table's rows; None for other files. `largest` is the largest difference between two
    numbers in the same place of a table, if only numbers differ.
    """

    name: str
    only_in: int | None = None
    rows: int | None = None
    differing: int | None = None
    largest: float | None = None


def sample_differences(first: str, second: str) -> dict[str, Any]:
    """{files, differing, differences}: numbers of files compared and differing, and what differs, by name."""
    one, two = _files(Path(first)), _files(Path(second))
    found = []
    for name in sorted({*one, *two}):
        if name not in one or name not in two:
            found.append(FileDifference(name, only_in=1 if name in one else 2))
        elif difference := _difference(name, one[name], two[name]):
            found.append(difference)
    return {
        "files": len({*one, *two}),
        "differing": len(found),
        "differences": [asdict(each) for each in found[:_MOST_FILES]],
    }


def _files(folder: Path) -> dict[str, Path]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    found.pop(METADATA, None)  # has the time that the run took
    return found


def _difference(name: str, one: Path, two: Path) -> FileDifference | None:
    if _are_equal(one, two):
        return None
    if name.lower().endswith(".csv"):
        tables = _table(one), _table(two)
        if tables[0] is not None and tables[1] is not None:
            return _table_difference(name, tables[0], tables[1])
    return FileDifference(name)


def _are_equal(one: Path, two: Path) -> bool:
    if not one.name.endswith(".gz") and one.stat().st_size != two.stat().st_size:
        return False
    try:
        with _opened(one) as first, _opened(two) as second:
            while True:
                chunk = first.read(_CHUNK_BYTES)
                if chunk != second.read(_CHUNK_BYTES):
                    return False
                if not chunk:
                    return True
    except (EOFError, gzip.BadGzipFile, OSError):
        return one.read_bytes() == two.read_bytes()


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path) if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def _table(path: Path) -> list[list[str]] | None:
    if path.stat().st_size > _MOST_TABLE_BYTES:
        return None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error):
        return None


def _table_difference(name: str, one: list[list[str]], two: list[list[str]]) -> FileDifference | None:
    """Rows belong together by the first column that names each row once, the same way in both."""
    if not one or not two or one[0] != two[0]:
        return FileDifference(name)
    header, first, second = one[0], one[1:], two[1:]
    rows = max(len(first), len(second))
    for column in range(len(header)):
        known = _by_name(first, column), _by_name(second, column)
        if known[0] is not None and known[1] is not None and known[0].keys() == known[1].keys():
            pairs = [(row, known[1][key]) for key, row in known[0].items()]
            return _of_pairs(name, [pair for pair in pairs if pair[0] != pair[1]], rows)
    left = Counter(map(tuple, first))
    left.subtract(map(tuple, second))
    differing = max(sum(count for count in left.values() if count > 0), sum(-n for n in left.values() if n < 0))
    return FileDifference(name, rows=rows, differing=differing) if differing else None


def _by_name(rows: Sequence[list[str]], column: int) -> dict[str, list[str]] | None:
    known = {row[column]: row for row in rows if len(row) > column}
    return known if len(known) == len(rows) else None


def _of_pairs(name: str, pairs: Sequence[tuple[list[str], list[str]]], rows: int) -> FileDifference | None:
    if not pairs:
        return None
    apart = [*_apart(pairs)]
    largest = None if None in apart else max((each for each in apart if each is not None), default=None)
    return FileDifference(name, rows=rows, differing=len(pairs), largest=largest)


def _apart(pairs: Sequence[tuple[list[str], list[str]]]) -> Iterator[float | None]:
    """For each two cells that differ, by how much, or None if they are not numbers."""
    for one, two in pairs:
        if len(one) != len(two):
            yield None
        for a, b in zip(one, two, strict=False):
            if a == b:
                continue
            try:
                apart = abs(float(a) - float(b))
            except ValueError:
                yield None
            else:
                yield apart if math.isfinite(apart) else None
