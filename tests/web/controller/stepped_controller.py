"""A controller for tests, ticked by hand, on an engine that does what the test says."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from tests.bundles import DOCKERFILE, PREDICT
from tests.web.controller.programmed_engine import ProgrammedEngine, predict, score
from tests.web.controller.thread_workers import ThreadWorkers
from tests.web.submission_files import context_zip, digest

from palio.core.attempt.states import RUNNING, State
from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.engines.fault import Unavailable
from palio.web.controller.engines import Engines
from palio.web.controller.heartbeat import Heartbeat
from palio.web.controller.loop import Controller
from palio.web.controller.migration import PhaseMigration
from palio.web.controller.outgoing import Jobs
from palio.web.controller.statistics import StatisticsUpdate
from palio.web.models import Attempt, Event, StoredFile, Submission, Team, User
from palio.web.storage.files import file_path

SECONDS = 120.0  # generous, as tests share the machine


class SteppedController:
    def __init__(self, home: Path, **configured: Any) -> None:
        self.engine = ProgrammedEngine(home / "engine", {"predict": predict, "score": score})
        self.configuration = replace(
            settings.CONFIGURATION, **{"slots": 2, "memory_gib": 64.0, "cpus": 64.0} | configured
        )
        self.heartbeat = Heartbeat()
        self.ahead_s = 0.0  # what the controller's clock is ahead of others
        self.workers = self.new_workers()
        self.controller = self.new_controller()

    def clock(self) -> float:
        return time.monotonic() + self.ahead_s

    def new_workers(self) -> Any:
        return ThreadWorkers(self.engines(), self.clock)

    def new_controller(self) -> Controller:
        """As after the one before was killed: nothing of it is left but rows and files."""
        unlock(getattr(self, "controller", None))
        controller = Controller(
            self.configuration,
            settings.FOLDERS,
            engines=self.engines(),
            workers=self.workers,
            heartbeat=self.heartbeat,
            clock=self.clock,
            statistics=StatisticsUpdate(settings.FOLDERS, start=lambda job: job()),
            migration=PhaseMigration(start=lambda job: job()),
            start_repeats=lambda job: job(),
            jobs=Jobs([]),  # they have tests of their own
        )
        for watch in controller._pools.watches:
            watch.look()
        return controller

    def engines(self) -> Engines:
        def open_engine(name: str) -> tuple[Engine, str]:
            if self.engine.away:
                raise PalioError("engine-missing", reason="nobody is there", next_step="Start it.")
            return self.engine, ""

        def find_fault(name: str) -> Unavailable | None:
            return Unavailable("nobody is there", "Start it.") if self.engine.away else None

        return Engines(open_engine, find_fault)

    def run_until(self, reached: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not reached():
            assert time.monotonic() < deadline, list(Attempt.objects.values_list("identity", "state", "failure_code"))
            self.controller.tick()
            self.controller.changed.wait(0.02)
            self.controller.changed.clear()

    def finish(self) -> None:
        """Ticks until nothing is left to do that need not wait."""
        self.run_until(
            lambda: not Attempt.objects.filter(state__in=[State.QUEUED, *RUNNING], cancel_requested=None).exists()
        )

    def kill(self) -> None:
        """The controller is gone, and its workers; a new one begins."""
        for worker in self.workers.made:
            worker.kill()
        self.controller = self.new_controller()

    def close(self) -> None:
        self.engine.lasting.clear()
        self.engine.away = False
        self.controller.let_go()
        for worker in self.workers.made:
            worker.join(SECONDS)


def unlock(controller: Controller | None) -> None:
    """What the kernel does when the process of a controller is gone."""
    if controller is not None and controller.lease._mark is not None:
        controller.lease._mark.close()


def add_submission(
    team: Team,
    user: User,
    *,
    extra: bytes = b"",
    kind: str = "context",
    predict: str = "",
    dockerfile: str = "",
) -> Attempt:
    """A new submission and its attempt, in the queue, whatever limits say. `predict` comes before the good program."""
    content = (
        context_zip(extra=extra, dockerfile=dockerfile or DOCKERFILE, predict=predict + PREDICT)
        if kind == "context"
        else b"file,answer\n"
    )
    name = "submission.zip" if kind == "context" else "answers.csv"
    place = file_path(settings.FOLDERS, digest(content))
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    file = StoredFile.objects.filter(team=team, sha256=digest(content)).first() or StoredFile.objects.create(
        team=team, name=name, kind=kind, size_bytes=len(content), sha256=digest(content), created_by=user
    )
    submission = Submission.objects.create(challenge=team.challenge, phase="Final", team=team, user=user, file=file)
    assert team.challenge.current is not None
    return Attempt.objects.create(submission=submission, number=1, version=team.challenge.current)


def states(submission: Submission) -> list[str]:
    return list(submission.attempts.order_by("number").values_list("state", flat=True))


def moves(attempt: Attempt) -> list[str]:
    events = Event.objects.filter(attempt=attempt.identity, kind="attempt.moved")
    return [event.detail["new"] for event in events]


def latest(submission: Submission) -> Attempt:
    submission.refresh_from_db()
    return submission.attempts.latest("number")
