"""The whole of `palio serve` is killed in the middle of an evaluation, with all its processes, and started again."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.submissions.arena import left_over
from tests.web.serving.running import Running, environment

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]
HAND_IN = """\
import os, sys
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "palio.web.settings"
import django
django.setup()
from tests.bundles import write_bundle
from tests.web.controller.stepped_controller import add_submission
from tests.web.world import make_world
world = make_world(write_bundle(Path(sys.argv[1])))
print(add_submission(world.team, world.bob, predict="import time\\ntime.sleep(0.7)\\n").identity)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_platform_killed_and_restarted(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as something was submitted, and again in each stage that lasts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    operated = {"PALIO_ENGINE": engine, "PALIO_ANYONE_ON_BUBBLEWRAP": "true"}
    data = tmp_path / "data"
    platform = Running(data, **operated)
    try:
        platform.wait_until_up()
        command = [sys.executable, "-c", HAND_IN, str(tmp_path / "bundle")]
        handed = subprocess.run(
            command, env=environment(PALIO_DATA=str(data)), capture_output=True, text=True, check=True
        )
        identity = handed.stdout.strip()
        for stage in (None, "predict", "score"):
            platform.wait_for(str(stage), lambda: stage is None or state(data) in {stage, "scored"})  # noqa: B023
            kill(platform)
            platform = Running(data, **operated)
            platform.wait_until_up()
        platform.wait_for("its end", lambda: state(data) == "scored")
        assert platform.end() == 0
    finally:
        kill(platform)
    with closing(sqlite3.connect(data / "palio.sqlite3")) as database:
        ends = database.execute('SELECT count(*) FROM palio_event WHERE detail LIKE \'%"new": "scored"%\'').fetchone()
        submission = database.execute("SELECT charged, counted_id FROM palio_submission").fetchone()
        attempts = database.execute("SELECT identity, scores FROM palio_attempt").fetchall()
    assert (ends, submission, attempts) == ((1,), (1, identity), [(identity, '{"accuracy": 1.0}')])
    assert left_over([identity]) == []
    assert not (data / "runs" / identity / ".work").exists()


def state(data: Path) -> str:
    with closing(sqlite3.connect(data / "palio.sqlite3")) as database:
        return str(database.execute("SELECT state FROM palio_attempt").fetchone()[0])


def kill(platform: Running) -> None:
    """All its processes at once, none of which can do anything about it."""
    for process in platform.tree() or {platform.process.pid: 0}:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    platform.process.wait(10)
