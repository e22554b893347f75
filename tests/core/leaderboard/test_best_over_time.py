"""Which submissions set a record."""

from datetime import UTC, datetime, timedelta
from typing import Any

from palio.core.bundle.model import Column
from palio.core.leaderboard.best_over_time import records
from palio.core.leaderboard.ranking import Entry

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HIGH = Column("a", "A", descending=True, precision=2, hidden=False)


def entry(number: int, score: float | None, **more: Any) -> Entry:
    given = {} if score is None else {"a": score}
    return Entry(f"s{number}", BEGIN + timedelta(hours=number), given, "team", f"a{number}", **more)


def labels(*entries: Entry, column: Column = HIGH) -> list[str]:
    return [each.label for each in records(entries, column)]


def test_each_better_one_is_a_record() -> None:
    found = [entry(3, 0.7), entry(1, 0.5), entry(2, 0.4), entry(4, 0.7), entry(5, None), entry(6, 0.9)]
    assert labels(*found) == ["s1", "s3", "s6"]


def test_lower_is_better() -> None:
    low = Column("a", "A", descending=False, precision=2, hidden=False)
    assert labels(entry(1, -0.5), entry(2, -0.4), entry(3, -0.6), column=low) == ["s1", "s3"]


def test_baselines_and_disqualified_set_none() -> None:
    assert labels(entry(1, 0.9, baseline=True), entry(2, 0.8, disqualified="copied"), entry(3, 0.1)) == ["s3"]


def test_nothing_scored() -> None:
    assert labels() == []
    assert labels(entry(1, None)) == []
