"""Times keep their hours and offsets, whichever way they are written."""

from datetime import UTC, datetime

import pytest

from palio.core.bundle.times import ADVICE, Moment, end_moment, moment
from palio.core.bundle.values import Findings, Refused, Scalar, Value


def value(written: str) -> Value:
    return Value(Findings("competition.yaml"), 1, "start", Scalar(written, "str"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-12-31", datetime(2024, 12, 31, tzinfo=UTC)),
        ("2024-12-31 14:30:00", datetime(2024, 12, 31, 14, 30, tzinfo=UTC)),
        ("2024-12-31 14:30:00+02:00", datetime(2024, 12, 31, 12, 30, tzinfo=UTC)),
        ("2024-12-31T23:30:15.25-05:30", datetime(2025, 1, 1, 5, 0, 15, 250000, tzinfo=UTC)),
        ("2024-12-31t23:30:00Z", datetime(2024, 12, 31, 23, 30, tzinfo=UTC)),
        ("2024-1-2 9:05 UTC", datetime(2024, 1, 2, 9, 5, tzinfo=UTC)),
        ("2024/01/02", datetime(2024, 1, 2, tzinfo=UTC)),
        ("January 2, 2024 11:59 PM", datetime(2024, 1, 2, 23, 59, tzinfo=UTC)),
        ("2nd Jan 2024", datetime(2024, 1, 2, tzinfo=UTC)),
        ("31.12.2024", datetime(2024, 12, 31, tzinfo=UTC)),
        ("7-7-2019", datetime(2019, 7, 7, tzinfo=UTC)),
        ("2024-12-31 23:59 AoE", datetime(2025, 1, 1, 11, 59, tzinfo=UTC)),
        ("2024-12-31 23:59 (AOE)", datetime(2025, 1, 1, 11, 59, tzinfo=UTC)),
        ("2024-12-31 23:59 UTC-12", datetime(2025, 1, 1, 11, 59, tzinfo=UTC)),
        ("2024-12-31 23:59:00 GMT+5:30", datetime(2024, 12, 31, 18, 29, tzinfo=UTC)),
        ("2024-12-31 12:00 Europe/Berlin", datetime(2024, 12, 31, 11, tzinfo=UTC)),
        ("2024-07-01 12:00 europe/berlin", datetime(2024, 7, 1, 10, tzinfo=UTC)),
        ("2024-12-31 12:00 Etc/GMT+12", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2024-12-31 12:00 CET", datetime(2024, 12, 31, 11, tzinfo=UTC)),
        ("July 1, 2024 11:59 PM EDT", datetime(2024, 7, 2, 3, 59, tzinfo=UTC)),
        ("2024-12-31 America/Argentina/Buenos_Aires", datetime(2024, 12, 31, 3, tzinfo=UTC)),
    ],
)
def test_time_is_aware_utc(written: str, expected: datetime) -> None:
    start = value(written)
    assert (moment(start), start.findings.warnings) == (expected, ())


def test_month_first_date_warning() -> None:
    start = value("8-7-2019 12:00")
    assert moment(start) == datetime(2019, 8, 7, 12, tzinfo=UTC)
    assert [str(warning) for warning in start.findings.warnings] == [
        (
            "competition.yaml:1: start: says `8-7-2019 12:00`, read as 7 August 2019, month first, as on Codabench; "
            "write 2019-08-07 to be sure"
        )
    ]


@pytest.mark.parametrize("written", ["2024-07-01 12:00 CET", "2024-07-01 12:00 CST"])
def test_ambiguous_zone_warning(written: str) -> None:
    start = value(written)
    moment(start)
    assert [warning.field for warning in start.findings.warnings] == ["start"]


@pytest.mark.parametrize("written", ["2024-07-01 12:00 IST", "2024-07-01 12:00 Europe/Berln", "2024-07-01 somewhere"])
def test_unknown_zone_is_refused(written: str) -> None:
    with pytest.raises(Refused, match="time zone"):
        moment(value(written))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-12-31", Moment(datetime(2025, 1, 1, tzinfo=UTC), whole_day=True)),
        ("2024-12-31 AoE", Moment(datetime(2025, 1, 1, 12, tzinfo=UTC), whole_day=True)),
        ("2024-12-31 00:00", Moment(datetime(2024, 12, 31, tzinfo=UTC), whole_day=False)),
    ],
)
def test_end_without_time(written: str, expected: Moment) -> None:
    assert end_moment(value(written)) == expected


@pytest.mark.parametrize("written", ["soon", "2024-01-01 +02:00", "1/2/24", "20240101", "2024-01-01 10", "12:00"])
def test_invalid_time_is_refused(written: str) -> None:
    with pytest.raises(Refused) as raised:
        moment(value(written))
    assert str(raised.value) == f"says `{written}`, which is not a valid time; {ADVICE}"


@pytest.mark.parametrize(
    "written",
    [
        "2024-02-30",
        "2024-13-01",
        "2024-01-01 24:00",
        "2024-01-01 13:00 PM",
        "1 Foo 2024",
        "0001-01-01 00:00+02:00",
        "2024-01-01 1:00 UTC+15",
    ],
)
def test_nonexistent_day_refused(written: str) -> None:
    with pytest.raises(Refused) as raised:
        moment(value(written))
    assert str(raised.value) == f"says `{written}`, but there is no such day or time; {ADVICE}"
