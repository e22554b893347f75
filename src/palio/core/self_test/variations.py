"""Wrong predictions, made from right ones: of the single CSV file with a header among them, or of a file's bytes."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from palio.core.self_test.answers import Answers

_MOST_BYTES = 50_000_000

Rows = list[list[str]]


@dataclass(frozen=True)
class Table:
    name: str  # of the file
    header: list[str]
    rows: Rows
    dialect: type[csv.Dialect]


class Expected(Enum):
    SAME = auto()  # as the right answers
    WORSE = auto()  # refused, or a lower score
    ANY = auto()  # refused or scored, but not stopped by a limit


@dataclass(frozen=True)
class Variation:
    name: str
    expected: Expected
    made_from: Callable[[Answers], Answers]
    is_empty: bool = False


def variations(answers: Answers) -> Iterator[Variation]:
    names = answers.names
    if len(names) == 1:
        yield Variation(
            f"an empty {names[0]}", Expected.WORSE, lambda given: given.replaced(names[0], b""), is_empty=True
        )
    table = table_of(answers)
    if table is None:
        return
    name, header, rows, dialect = table.name, table.header, table.rows, table.dialect

    def varied(title: str, expected: Expected, new: Callable[[Rows], Rows]) -> Variation:
        content = written(header, new([[*row] for row in rows]), dialect)
        return Variation(title, expected, lambda given: given.replaced(name, content))

    yield varied("rows in another order", Expected.SAME, lambda rows: rows[::-1])
    yield varied("only the first half of the rows", Expected.WORSE, lambda rows: rows[: len(rows) // 2])
    yield varied("no rows", Expected.WORSE, lambda rows: rows[:0])
    yield varied("a row twice", Expected.ANY, lambda rows: [*rows, rows[0]])
    yield varied("a row for an unknown case", Expected.ANY, lambda rows: [*rows, ["no-such-case", *rows[0][1:]]])
    if len(header) > 1:
        yield varied("every answer the same", Expected.ANY, lambda rows: [[row[0], *rows[0][1:]] for row in rows])
        yield varied("every answer `nan`", Expected.WORSE, lambda rows: _filled(rows, "nan"))
        yield varied("every answer `1e308`", Expected.WORSE, lambda rows: _filled(rows, "1e308"))
        yield varied("every answer empty", Expected.WORSE, lambda rows: _filled(rows, ""))


def _filled(rows: Rows, value: str) -> Rows:
    return [[row[0], *[value] * (len(row) - 1)] for row in rows]


def table_of(answers: Answers) -> Table | None:
    """The single CSV file with a header and rows of one length; None if there is no such file."""
    names = [name for name in answers.names if name.lower().endswith(".csv")]
    if len(names) != 1:
        return None
    content = answers.content(names[0])
    if len(content) > _MOST_BYTES:
        return None
    try:
        text = content.decode("utf-8-sig")
        dialect = csv.Sniffer().sniff(text[:10_000], delimiters=",;\t")
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), dialect) if row]
    except (UnicodeDecodeError, csv.Error, ValueError):
        return None
    whole = all(len(row) == len(header) for row in rows)
    return Table(names[0], header, rows, dialect) if whole and len(rows) > 1 else None


def written(header: Sequence[str], rows: Rows, dialect: type[csv.Dialect]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, dialect, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
