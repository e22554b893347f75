"""CSV for spreadsheets: cells that would be computed as formulas become text."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # start of a formula in a spreadsheet
_ROWS = 200  # per block


def cell(value: object) -> object:
    """Numbers stay numbers; None becomes an empty cell."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else value


def csv_blocks(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The table, a block of rows at a time."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(header)
    for number, row in enumerate(rows, start=1):
        writer.writerow([cell(value) for value in row])
        if number % _ROWS == 0:
            yield file.getvalue().encode()
            file.seek(0)
            file.truncate()
    yield file.getvalue().encode()
