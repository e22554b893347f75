"""A short storm, with a seed that is told, on each engine; and faults that are planted in what it left are found."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.storm.findings import judge
from tests.storm.site import Planted
from tests.storm.storm import Report, storm
from tests.web.postgresql import programs

SEED = int(os.environ.get("PALIO_STORM_SEED", "11"))
BLOWS = {"sqlite": 10, "postgresql": 5}  # of which each takes longer

PLACES = [
    pytest.param(("docker", "sqlite"), marks=pytest.mark.docker),
    pytest.param(("bubblewrap", "sqlite"), marks=pytest.mark.bubblewrap),
    pytest.param(("bubblewrap", "postgresql"), marks=pytest.mark.bubblewrap),
    pytest.param(("kubernetes", "sqlite"), marks=[pytest.mark.docker, pytest.mark.kubernetes]),
]


@pytest.fixture(params=PLACES, scope="module", ids="-".join)
def over(request: pytest.FixtureRequest) -> Iterator[Report]:
    engine, database = request.param
    if database == "postgresql" and programs() is None:
        lacking("no PostgreSQL server is installed")
    with storm(SEED, engine, blows=BLOWS[database], seconds=240, database=database) as made:
        yield made


def test_short_storm(over: Report) -> None:
    assert over.findings == [], over.shown()
    assert over.struck.total() > BLOWS[over.database] // 2
    assert over.ends["scored"] > 1


def scored(over: Report) -> list[str]:
    with closing(sqlite3.connect(over.data / "palio.sqlite3")) as database:
        rows = database.execute("SELECT identity FROM palio_attempt WHERE state = 'scored'").fetchall()
    return [str(row[0]) for row in rows]


PLANTED = {
    "another's score": (
        "UPDATE palio_attempt SET scores = '{\"accuracy\": 0.5}' WHERE identity = ?",
        "ended as scored",
    ),
    "not ended": ("UPDATE palio_attempt SET state = 'score', scores = NULL WHERE identity = ?", "has not ended: score"),
    "no charge": (
        "UPDATE palio_submission SET charged = 0 WHERE counted_id = ?",
        "is not charged",
    ),
    "does not count": (
        "UPDATE palio_submission SET counted_id = NULL WHERE counted_id = ?",
        "counts with the attempt None",
    ),
    "two results": (
        "UPDATE palio_event SET attempt = ?1 WHERE id = (SELECT max(id) FROM palio_event"
        " WHERE kind = 'attempt.moved' AND attempt != ?1 AND detail LIKE '%\"new\": \"scored\"%')",
        "has 2 results",
    ),
}


@pytest.mark.parametrize(("change", "told"), PLANTED.values(), ids=PLANTED)
def test_database_fault_found(over: Report, change: str, told: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(over.data, data, symlinks=True)
    with closing(sqlite3.connect(data / "palio.sqlite3")) as database:
        assert database.execute(change, scored(over)[:1]).rowcount == 1
        database.commit()
    assert [line for line in judge(data, over.accepted, over.starts) if told in line] != []


def test_lost_or_duplicate_found(over: Report) -> None:
    (identity, *_) = scored(over)
    name = f"palio-{identity}-score"
    lost = {**over.accepted, "no-such-id": next(iter(over.accepted.values()))}
    assert any("was accepted, and is lost" in line for line in judge(over.data, lost, over.starts))
    if over.starts is None:
        lacking("only root can count the starts of sandboxes")
    twice = over.starts + Counter([name])
    assert judge(over.data, over.accepted, twice) == [f"the job score of {identity} was started 2 times"]
    unseen = over.starts - Counter([name])
    never = f"{identity} is scored, and its job score was never seen"
    assert judge(over.data, over.accepted, unseen) == [never]


@pytest.mark.bubblewrap
def test_leftover_jobs_found() -> None:
    line = "    def remove(self, work: Work) -> None:\n"
    forgetful = Planted("engines/bubblewrap/engine.py", line, f"{line}        return\n")
    with storm(SEED, "bubblewrap", blows=0, seconds=60, submissions=2, planted=forgetful) as report:
        assert any(line.startswith("left over: ") and "bubblewrap/jobs" in line for line in report.findings)


@pytest.mark.bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can count the starts of sandboxes")
def test_duplicate_starts_found() -> None:
    line = '        _supervise(folder, lock, "supervisor")\n'
    twice = Planted("engines/bubblewrap/engine.py", line, line + line)
    # Such attempts are tried again and again, for minutes; the first is enough.
    with storm(SEED, "bubblewrap", blows=0, seconds=60, submissions=2, settle_s=20, planted=twice) as report:
        assert any(line.endswith("was started 2 times") for line in report.findings), report.shown()


def test_leftovers_found(over: Report) -> None:
    (identity, *_) = scored(over)
    half = over.data / "runs" / identity / ".work"
    half.mkdir()
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", f"palio-{identity}-predict"])
    try:
        told = over.judge()
    finally:
        process.kill()
        process.wait()
        half.rmdir()
    assert any(str(half) in line for line in told)
    assert any(f"/proc/{process.pid}" in line for line in told)
    assert over.judge() == []
