"""What a storm must not have done: one sentence for each thing that is not as it has to be, or nothing."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.storm.challenge import Expected
from tests.storm.cluster import KUBELETS
from tests.submissions.arena import left_over

from palio.core.attempt.states import ENDS, State, may_move

MOST_TRIES = 4  # the first, and one after each pause
JOBS = ("predict", "score")


def judge(data: Path, submitted: Mapping[str, Expected], starts: Counter[str] | None) -> list[str]:
    """Of a platform that has ended. `submitted`: what was accepted, by its submission's id. `starts`: see Starts."""
    with closing(sqlite3.connect(f"file:{data}/palio.sqlite3?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(
            "SELECT s.id, f.name, s.charged, s.counted_id"
            " FROM palio_submission s JOIN palio_storedfile f ON f.id = s.file_id"
        ).fetchall()
        attempts = database.execute("SELECT * FROM palio_attempt ORDER BY submission_id, number").fetchall()
        moves = database.execute(
            "SELECT attempt, detail FROM palio_event WHERE kind = 'attempt.moved' ORDER BY id"
        ).fetchall()
    by_submission: dict[str, list[sqlite3.Row]] = {row["id"]: [] for row in rows}
    for attempt in attempts:
        by_submission[attempt["submission_id"]].append(attempt)
    found = list(_lost({row["id"]: row["name"] for row in rows}, submitted))
    for row in rows:
        if row["id"] in submitted:
            found += _of_submission(row, by_submission[row["id"]], submitted[row["id"]])
    ways: dict[str, list[str]] = {attempt["identity"]: [State.QUEUED] for attempt in attempts}
    for move in moves:
        detail = json.loads(move["detail"])
        if detail.get("old"):
            ways[move["attempt"]].append(detail["new"])
    for attempt in attempts:
        found += _of_attempt(attempt, ways[attempt["identity"]])
        if starts is not None:
            found += _of_starts(attempt, starts)
    left = left_over([attempt["identity"] for attempt in attempts])
    found += (f"left over: {each}" for each in left if KUBELETS not in each)
    return found + list(_left_in(data, [attempt["identity"] for attempt in attempts]))


def platform_faults(data: Path) -> int:
    """How many submissions the platform gave up after all its tries: allowed, and told."""
    with closing(sqlite3.connect(f"file:{data}/palio.sqlite3?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM palio_attempt WHERE number = ? AND failure_cause = 'platform'"
        return int(database.execute(query, [MOST_TRIES]).fetchone()[0])


def _lost(names: Mapping[str, str], submitted: Mapping[str, Expected]) -> Iterator[str]:
    for submission, expected in submitted.items():
        if submission not in names:
            yield f"{expected.name} was accepted, and is lost"
    for name, count in Counter(names.values()).items():
        if count > 1:
            yield f"{name} was submitted once, and is there {count} times"
    for submission in names.keys() - submitted.keys():
        yield f"{names[submission]} is there, and was never acknowledged"


def _of_submission(row: sqlite3.Row, attempts: Sequence[sqlite3.Row], expected: Expected) -> Iterator[str]:
    name = expected.name
    if not attempts:
        yield f"{name} has no attempt"
        return
    *earlier, last = attempts
    for attempt in earlier:
        if (attempt["state"], attempt["failure_cause"]) != (State.FAILED, "platform"):
            yield f"{name} was tried again although an attempt ended as {_end_of(attempt)}"
    if last["state"] not in ENDS:
        yield f"{name} has not ended: {last['state']}"
        return
    given_up = last["failure_cause"] == "platform" and len(attempts) >= MOST_TRIES
    if given_up:
        if row["charged"]:
            yield f"{name} is charged for a fault of the platform"
        return
    scores = json.loads(last["scores"]) if last["scores"] else None
    wanted = {"accuracy": expected.score} if expected.score is not None else None
    if scores != wanted or last["failure_code"] != expected.failure:
        yield f"{name} ended as {_end_of(last)}, not as {wanted or expected.failure}"
    if bool(row["charged"]) != expected.charged:
        yield f"{name} is {'' if row['charged'] else 'not '}charged"
    if (row["counted_id"] == last["identity"]) != (expected.score is not None):
        yield f"{name} counts with the attempt {row['counted_id']}"


def _end_of(attempt: sqlite3.Row) -> str:
    failure: dict[str, Any] = json.loads(attempt["failure"]) if attempt["failure"] else {}
    message = failure.get("message", "")
    return f"{attempt['state']} {attempt['failure_code']} {attempt['scores'] or ''} {message}".strip()


def _of_attempt(attempt: sqlite3.Row, way: Sequence[str]) -> Iterator[str]:
    identity = attempt["identity"]
    if not all(may_move(State(old), State(new)) for old, new in pairwise(way)) or way[-1] != attempt["state"]:
        yield f"{identity} went an illegal way: {' '.join(way)}, and is {attempt['state']}"
    if sum(state in ENDS for state in way) > 1:
        yield f"{identity} has {sum(state in ENDS for state in way)} results"
    if attempt["state"] == State.FAILED and not (attempt["failure_cause"] and attempt["failure_code"]):
        yield f"{identity} failed without a cause"


def _of_starts(attempt: sqlite3.Row, starts: Counter[str]) -> Iterator[str]:
    identity = attempt["identity"]
    for job in JOBS:
        many = starts[f"palio-{identity}-{job}"]
        if many > 1:
            yield f"the job {job} of {identity} was started {many} times"
        elif attempt["state"] == State.SCORED and not many:
            yield f"{identity} is scored, and its job {job} was never seen"


def _left_in(data: Path, identities: Sequence[str]) -> Iterator[str]:
    """What is half made, or should have gone with its attempt."""
    for identity in identities:
        run = data / "runs" / identity
        yield from (f"left over: {path}" for path in run.glob(".*"))
    for folder in ("store", "runs", "bundles", "uploads"):
        kept = {".lock", *(path.name for path in (data / "bundles").glob(".*.json"))}  # bundles as they were read
        yield from (f"left over: {path}" for path in (data / folder).glob(".*") if path.name not in kept)


def empty_groups() -> set[str]:
    """Palio's cgroups that hold no process, and so belong to no job that runs."""
    found = set()
    for folder, _, _ in os.walk("/sys/fs/cgroup"):  # which does not mind that others come and go
        if Path(folder).name.startswith("palio-"):
            with suppress(OSError):
                if not Path(folder, "cgroup.procs").read_text().split():
                    found.add(folder)
    return found


def ends(data: Path) -> tuple[int, Counter[str]]:
    """How many attempts there were, and how the last of each submission ended."""
    with closing(sqlite3.connect(f"file:{data}/palio.sqlite3?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT submission_id, state, failure_code FROM palio_attempt ORDER BY submission_id, number"
        ).fetchall()
    last = {submission: f"{state} {code}".strip() for submission, state, code in rows}
    return len(rows), Counter(last.values())
