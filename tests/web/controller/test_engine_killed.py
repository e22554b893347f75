"""The Docker engine is killed under a real controller, alone and together with it: an engine of the test's own."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from tests.bundles import DOCKERFILE
from tests.engines.second_docker import Daemon, second_docker
from tests.web.controller import controller_processes
from tests.web.controller.stepped_controller import add_submission
from tests.web.controller.test_killed import check_way
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Attempt, ControllerBeat, Submission

pytestmark = [pytest.mark.docker, pytest.mark.django_db(transaction=True)]

CONFIGURED: dict[str, Any] = {"engine": "docker", "slots": 3, "memory_gib": 64.0, "cpus": 64.0}
SLEEPS = "import time\ntime.sleep(15)\n"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with second_docker() as made:
        yield made


@pytest.mark.parametrize(("number", "with_controller"), [(signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_engine_killed_during_build_and_run(
    daemon: Daemon,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    with_controller: bool,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", daemon.address)
    mark = f"{number}{with_controller}"
    runs = add_submission(world.team, world.bob, predict=SLEEPS, extra=mark.encode())
    builds = add_submission(
        world.rivals,
        world.carol,
        extra=mark.encode(),
        dockerfile=DOCKERFILE.replace("COPY", f"RUN echo {mark} && sleep 15\nCOPY"),
    )
    child = controller_processes.begin_life(**CONFIGURED)
    controller_processes.wait_until(
        lambda: (
            Attempt.objects.get(pk=runs.pk).state == "predict"
            and f"palio-{runs.identity}-predict".encode() in daemon.run("ps", "--format", "{{.Names}}").stdout
            and b"sleep 15" in daemon.run("ps", "--no-trunc", "--format", "{{.Command}}").stdout
        ),
        child,
    )
    if with_controller:
        controller_processes.kill(child)
    daemon.end(number)
    if with_controller:
        child = controller_processes.begin_life(**CONFIGURED)
    controller_processes.wait_until(lambda: "docker" in trouble().lower(), child)
    waits = add_submission(world.rivals, world.carol, extra=b"waits" + mark.encode())
    time.sleep(1)
    assert states() == {runs.pk: "predict", builds.pk: "build", waits.pk: "queued"}
    daemon.start()

    def all_have_ended() -> bool:
        Attempt.objects.filter(state=State.QUEUED).update(not_before=timezone.now())
        return controller_processes.all_have_ended()

    controller_processes.wait_until(all_have_ended, child)
    assert trouble() == ""
    assert controller_processes.kill(child, signal.SIGTERM) == 0
    for attempt in Attempt.objects.all():
        check_way(attempt)
    for submission in Submission.objects.all():
        *failed, last = submission.attempts.order_by("number")
        assert (last.state, last.scores) == ("scored", {"accuracy": 1.0}), last.failure
        assert (submission.counted, submission.charged) == (last, True)
        assert [(each.failure_code, each.failure_cause) for each in failed] in ([], [("engine-fault", "platform")])
        if submission.pk == waits.submission_id:
            assert failed == []
    assert Attempt.objects.get(pk=runs.pk).state == "failed"  # its container is gone, and nobody knows how it would end
    assert daemon.run("ps", "--all", "--quiet").stdout == b""
    assert daemon.run("volume", "ls", "--quiet").stdout == b""
    runs_of_test = [settings.FOLDERS.runs / identity for identity in states()]
    assert [run for run in runs_of_test if (run / ".work").exists()] == []


def trouble() -> str:
    beat = ControllerBeat.objects.order_by("-time").first()
    return beat.trouble if beat else ""


def states() -> dict[str, str]:
    return dict(Attempt.objects.values_list("identity", "state"))
