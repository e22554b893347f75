"""The database is locked for seconds while attempts end, at a real controller with real workers: nothing runs twice."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections
from tests.web.controller import controller_processes
from tests.web.controller.misbehaving_worker import GO_ON, please, workers
from tests.web.controller.programmed_engine import ProgrammedEngine
from tests.web.controller.stepped_controller import add_submission, moves
from tests.web.world import World

from palio.web.controller.engines import Engines
from palio.web.controller.loop import Controller
from palio.web.models import Attempt, Event

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 6


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="PostgreSQL has no one lock for all writes")
@pytest.mark.parametrize(("timeout_s", "locked_s"), [(20, 4.0), (1, 4.0)], ids=["waits", "gives up"])
def test_database_locked_runs_nothing_twice(world: World, tmp_path: Path, timeout_s: int, locked_s: float) -> None:
    attempts = [add_submission(world.team, world.bob, extra=b"%d" % n, predict=please("wait")) for n in range(COUNT)]
    engine = ProgrammedEngine(tmp_path / "engine")
    controller = partial(
        Controller, engines=Engines(lambda _: (engine, ""), lambda _: None), workers=workers(tmp_path / "engine")
    )

    def impatient() -> None:
        connections.settings["default"]["OPTIONS"]["timeout"] = timeout_s

    child = controller_processes.begin_life(impatient, controller, slots=COUNT, memory_gib=64.0, cpus=64.0)
    controller_processes.wait_until(lambda: Attempt.objects.filter(state="predict").count() == COUNT, child)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (tmp_path / "engine" / GO_ON).touch()
        time.sleep(locked_s)
        written = [attempt for attempt in attempts if has_verdict(attempt)]
        other.execute("ROLLBACK")
    assert written  # the lock was there while attempts ended
    controller_processes.wait_until(controller_processes.all_have_ended, child)
    assert controller_processes.kill(child, signal.SIGTERM) == 0
    for attempt in attempts:
        assert moves(attempt)[-1] == "scored"
        assert moves(attempt) == ["build", "predict", "score", "scored"]
    assert not Event.objects.filter(kind__in=["attempt.taken-up", "attempt.worker-ended"]).exists()
    assert sorted(engine.ran) == sorted(["build", "predict", "score-image", "score"] * COUNT)
    assert Attempt.objects.count() == COUNT


def has_verdict(attempt: Attempt) -> bool:
    result = settings.FOLDERS.runs / attempt.identity / "result.json"
    return result.exists() and '"verdict": "scored"' in result.read_text()
