"""What a tick costs: the same after any number of finished attempts, in queries and in rows that they read."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.scripted_workers import ScriptedWorkers
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.controller import lease_renewal
from palio.web.models import Attempt, Submission

pytestmark = pytest.mark.django_db

RUNNING, WAITING = 6, 4


def finish_more(like: Attempt, count: int) -> None:
    """Add finished attempts of submissions of their own, all started long ago."""
    old = like.submission
    made = [
        Submission(challenge=old.challenge, phase=old.phase, team=old.team, user=old.user, file=old.file)
        for _ in range(count)
    ]
    Submission.objects.bulk_create(made)
    long_ago = timezone.now() - timedelta(days=9)
    Attempt.objects.bulk_create(
        Attempt(
            submission=submission,
            number=1,
            version=like.version,
            state=State.SCORED,
            scores={"accuracy": 0.5},
            engine="docker",
            started=long_ago,
            finished=long_ago + timedelta(minutes=1),
        )
        for submission in made
    )


@pytest.fixture
def busy(make_controller: MakeDesk, world: World) -> SteppedController:
    """A controller with RUNNING attempts whose workers do nothing, and WAITING ones behind them."""
    stepped = make_controller(slots=RUNNING, memory_gib=1000.0, cpus=1000.0)
    stepped.workers = ScriptedWorkers(stepped.clock)
    stepped.controller = stepped.new_controller()
    for number in range(RUNNING + WAITING):
        add_submission(world.team, world.bob, extra=b"%d" % number)
    stepped.run_until(lambda: stepped.controller.active_attempts == RUNNING)
    return stepped


def queries_of_tick(stepped: SteppedController) -> list[str]:
    stepped.controller._cleanup.join()
    stepped.controller._statistics._next = 0.0  # all of them are due
    stepped.controller._renewal.renewed = 0.0
    with CaptureQueriesContext(connection) as captured:
        stepped.controller.tick()
    return [query["sql"] for query in captured]


def test_finished_attempts_add_no_query(busy: SteppedController) -> None:
    queries_of_tick(busy)
    before = len(queries_of_tick(busy))
    assert before > 0
    finish_more(Attempt.objects.first() or pytest.fail("no attempt"), 300)
    assert len(queries_of_tick(busy)) == before


def test_running_attempts_add_no_query(busy: SteppedController, world: World) -> None:
    queries_of_tick(busy)
    before = len(queries_of_tick(busy))
    busy.controller._pools.default.slots.count += WAITING
    busy.run_until(lambda: busy.controller.active_attempts == RUNNING + WAITING)
    assert len(queries_of_tick(busy)) <= before


@pytest.mark.parametrize("slots", [RUNNING, RUNNING + 1])
def test_no_query_reads_all_attempts_or_submissions(busy: SteppedController, slots: int) -> None:
    """With a free slot too, where the next attempt does not fit and the order of the queue is computed each time."""
    finish_more(Attempt.objects.first() or pytest.fail("no attempt"), 300)
    busy.controller._pools.default.slots.count = slots
    busy.controller._pools.default.slots.has_room = lambda *_: False  # type: ignore[method-assign]
    assert whole_tables_read(queries_of_tick(busy)) == []


def test_waiting_attempts_whose_phase_is_read_add_no_query(busy: SteppedController, world: World) -> None:
    """While the bundle is read, nothing is asked for each of them."""
    busy.controller._pools.default.slots.count = 1000
    busy.controller._requirements.of = lambda *_: None  # type: ignore[method-assign]
    queries_of_tick(busy)
    before = len(queries_of_tick(busy))
    for number in range(5):
        add_submission(world.team, world.bob, extra=b"more %d" % number)
    assert len(queries_of_tick(busy)) == before


def test_tick_longer_than_lease_renews_it(busy: SteppedController, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = []
    monkeypatch.setattr(lease_renewal, "RENEWAL_S", -1.0)  # due at any moment
    monkeypatch.setattr(busy.controller.lease, "renew", lambda **_: renewed.append(busy.controller.active_attempts))
    busy.controller.tick()
    assert len(renewed) > RUNNING


def whole_tables_read(queries: list[str]) -> list[str]:
    """The queries that read all rows of a table that grows with finished attempts, and not only the first in an index.

    Skips the test where the database is not SQLite, whose plans it reads.
    """
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has other plans")
    growing = ("palio_attempt", "palio_submission", "palio_event", "palio_storedfile")
    found = []
    for sql in [query for query in queries if query.startswith("SELECT")]:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
        scans = any(step.startswith(f"SCAN {table}") for step in plan for table in growing)
        if scans and ("LIMIT" not in sql or any("TEMP B-TREE" in step for step in plan)):
            found.append(sql)
    return found


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("SELECT COUNT(*) FROM palio_attempt WHERE finished IS NOT NULL", True),
        ("SELECT state, COUNT(*) FROM palio_attempt GROUP BY state", True),
        ("SELECT identity FROM palio_attempt ORDER BY finished LIMIT 5", True),
        ("SELECT identity FROM palio_attempt ORDER BY started DESC LIMIT 5", False),
        ("SELECT identity FROM palio_attempt WHERE state = 'queued'", False),
    ],
)
def test_queries_that_read_whole_tables_are_found(db: None, sql: str, is_found: bool) -> None:
    assert whole_tables_read([sql]) == ([sql] if is_found else [])
