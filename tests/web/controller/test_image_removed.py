"""Somebody clears up the engine's images while a submission is between its build and its job."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone
from tests.docker_command import remove_images
from tests.web.controller.stepped_controller import SteppedController, add_submission, moves
from tests.web.world import World

from palio.core.attempt.states import State
from palio.core.engine import Engine, Job, Work
from palio.engines.docker import DockerEngine
from palio.web.controller.engines import Engines

pytestmark = [pytest.mark.docker, pytest.mark.django_db]


class ClearedEngine(DockerEngine):
    """Loses the image of the first job just before that begins."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []

    def start(self, work: Work) -> None:
        if isinstance(work, Job) and work.name.endswith("-predict"):
            self.images.append(work.image)
            if len(self.images) == 1:
                self.remove_images()
        super().start(work)

    def remove_images(self) -> None:
        for image in self.images:
            remove_images(image)


class ClearedDesk(SteppedController):
    def __init__(self, home: Path) -> None:
        self.docker = ClearedEngine()
        super().__init__(home, engine="docker")

    def engines(self) -> Engines:
        def open_engine(name: str) -> tuple[Engine, str]:
            return self.docker, ""

        return Engines(open_engine, lambda name: None)


def test_removed_image_rebuilt(world: World, tmp_path: Path) -> None:
    stepped = ClearedDesk(tmp_path)
    try:
        submission = add_submission(
            world.team, world.bob, extra=uuid4().bytes
        ).submission  # nobody's image but this test's
        stepped.run_until(lambda: submission.attempts.filter(state=State.FAILED).exists())
        submission.attempts.update(not_before=timezone.now())
        stepped.run_until(lambda: submission.attempts.filter(state=State.SCORED).exists())
    finally:
        stepped.docker.remove_images()
        stepped.close()
    first, second = submission.attempts.order_by("number")
    assert (first.failure_code, first.failure_cause, moves(first)) == (
        "engine-fault",
        "platform",
        ["build", "predict", "failed"],
    )
    assert stepped.docker.images[0] in str(first.failure)
    assert (second.scores, moves(second)) == ({"accuracy": 1.0}, ["queued", "build", "predict", "score", "scored"])
    submission.refresh_from_db()
    assert (submission.counted, submission.charged) == (second, True)
    jobs = {f"palio-{attempt.identity}-{stage}" for attempt in (first, second) for stage in ("predict", "score")}
    assert stepped.docker.job_names() & jobs == set()
