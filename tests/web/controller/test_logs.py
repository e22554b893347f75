"""What a log collector can rely on: every line about an attempt has its ids, from the controller and from workers."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web.controller.misbehaving_worker import please, workers
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.world import World

from palio.web.config.log_format import formatter
from palio.web.controller.worker import WorkerProcesses
from palio.web.models import Attempt

pytestmark = pytest.mark.django_db


class Lines(logging.Handler):
    """Every line that is logged here, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(formatter("json"))
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("palio.controller")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class ProcessController(SteppedController):
    """Its workers are processes, on the fake engine, and log JSON."""

    def new_workers(self) -> WorkerProcesses:
        made = workers(self.engine.folder)
        made._log_format = "json"
        made.remove = lambda engine, names: None  # type: ignore[method-assign]
        return made

    def close(self) -> None:
        self.controller.let_go()
        for active in self.controller._active.values():
            active.worker.kill()
            active.worker.join(10)


def test_every_line_about_an_attempt_has_its_ids(
    world: World, tmp_path: Path, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    """An attempt that is scored, one that breaks in its worker, one whose worker breaks, and leftovers of a fourth."""
    stepped = ProcessController(tmp_path)
    try:
        add_submission(world.team, world.bob)
        raising = add_submission(world.rivals, world.carol, predict=please("raise"))
        broken = add_submission(world.rivals, world.carol, predict=please("garbage"))
        left = add_submission(world.team, world.bob, extra=b"left")
        Attempt.objects.filter(pk=left.pk).update(state="cancelled", engine="docker")
        (stepped.engine.folder / f"palio-{left.pk}-predict").mkdir(parents=True)
        stepped.run_until(lambda: broken.submission.attempts.count() == raising.submission.attempts.count() == 2)
        stepped.run_until(lambda: any("Removing palio-" in line for line in lines.found))
    finally:
        stepped.close()
    submissions = dict(Attempt.objects.values_list("identity", "submission"))
    of_workers = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    found = [json.loads(line) for line in [*lines.found, *of_workers]]
    about = re.compile("|".join(submissions))
    wrong = [
        each
        for each in found
        if (named := about.search(each["message"]))
        and (each.get("attempt"), each.get("submission")) != (named[0], submissions[named[0]])
    ]
    assert wrong == []
    said = "\n".join(each["message"] for each in found if each.get("attempt"))
    assert f"Starting {broken.pk}" in said
    assert f"The worker of {broken.pk} ended without a result" in said
    assert f"Removing palio-{left.pk}-predict" in said
    assert f"The evaluation of {raising.pk} broke" in "\n".join(of_workers)
