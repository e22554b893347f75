"""How a scoring program's time and memory grow with the number of rows: the same answers, 10 and 100 times.

Known are one CSV file of predictions and one of reference data that name the same cases in their first columns. Every
case is repeated under new names in both files. What would take too long, or exceeds what a submission may hold, is
skipped, and the outcome says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palio.core.engine import Limits
from palio.core.quantities import duration_text, size_text
from palio.core.self_test.answers import Answers
from palio.core.self_test.variations import Table, table_of, written

FACTORS = (10, 100)
LONGEST_S = 120.0  # after which a run with more rows is stopped, whatever the challenge allows
_LONG_S = 30.0
_NOISE_S = 0.5  # differences below this say nothing about growth
_TOO_FAST = 30  # growth of the added time when rows grow tenfold: 10 is linear, 100 is quadratic
_SUFFIX = re.compile(r"(?<=.)(?:\.[A-Za-z][A-Za-z0-9]{0,4}){1,2}$")


@dataclass(frozen=True)
class Measured:
    factor: int
    wall_s: float
    memory_bytes: int | None

    def __str__(self) -> str:
        memory = f" and {size_text(self.memory_bytes)}" if self.memory_bytes else ""
        return f"{self.factor}x: {duration_text(self.wall_s)}{memory}"


@dataclass(frozen=True)
class Tables:
    """The predictions and the reference data, as tables."""

    predictions: Answers
    reference: Answers
    predicted: Table
    expected: Table

    @classmethod
    def read(cls, predictions: Answers, reference: Answers) -> "Tables | None":
        """None if they do not name the same cases in their first columns."""
        predicted, expected = table_of(predictions), table_of(reference)
        if predicted is None or expected is None:
            return None
        same = {row[0] for row in predicted.rows} == {row[0] for row in expected.rows}
        return cls(predictions, reference, predicted, expected) if same else None

    def repeated(self, factor: int) -> tuple[Answers, Answers]:
        """Predictions and reference data with each case `factor` times, under different names."""
        cases = list(dict.fromkeys(row[0] for row in self.expected.rows))
        names = [_renamed(cases, number) for number in range(factor)]
        return (
            self.predictions.replaced(self.predicted.name, _repeated(self.predicted, names)),
            self.reference.replaced(self.expected.name, _repeated(self.expected, names)),
        )


def too_long(measured: Sequence[Measured]) -> bool:
    """Whether ten times the rows of the last run may take longer than this test should.

    After one run, nothing is known but that it includes the start of the program. After two, growth is taken to be
    linear; what grows faster is stopped after LONGEST_S.
    """
    last = measured[-1].wall_s
    grown = last - measured[-2].wall_s if len(measured) > 1 else 0.0
    return last > _LONG_S or last + 10 * grown > LONGEST_S


def warning(measured: Sequence[Measured], limits: Limits) -> str:
    """What the figures say against the limits of the scoring; empty if nothing."""
    last = measured[-1]
    if last.wall_s > limits.time_s / 2:
        limit = duration_text(limits.time_s)
        return f"{last.factor} times the rows come near the limit of {limit} (palio.limits.score.time)"
    if last.memory_bytes and last.memory_bytes > limits.memory_bytes / 2:
        limit = size_text(limits.memory_bytes)
        return f"{last.factor} times the rows come near the limit of {limit} (palio.limits.score.memory)"
    if len(measured) > 2:
        first, second, third = (each.wall_s for each in measured)
        if third - second > _NOISE_S and third - second > _TOO_FAST * max(second - first, _NOISE_S / 10):
            return "its time grows faster than the rows; look for a loop over all pairs of cases"
    elif len(measured) == 2 and last.wall_s - measured[0].wall_s > _NOISE_S and last.wall_s > 20 * measured[0].wall_s:
        return "its time grows faster than the rows; look for a loop over all pairs of cases"
    return ""


def _renamed(cases: Sequence[str], number: int) -> Mapping[str, str]:
    """New names for a copy of the cases; numbers stay numbers, and suffixes stay at the end."""
    if number == 0:
        return {case: case for case in cases}
    if all(case.isdecimal() and case.isascii() for case in cases):
        beyond = max(map(int, cases)) + 1
        return {case: str(int(case) + number * beyond) for case in cases}
    return {case: _numbered(case, number) for case in cases}


def _numbered(case: str, number: int) -> str:
    suffix = match[0] if (match := _SUFFIX.search(case)) else ""
    return f"{case.removesuffix(suffix)}-{number}{suffix}"


def _repeated(table: Table, names: Sequence[Mapping[str, str]]) -> bytes:
    rows = [[name[row[0]], *row[1:]] for name in names for row in table.rows]
    return written(table.header, rows, table.dialect)
