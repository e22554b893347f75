"""In a real cluster: a job whose pod is deleted while nobody watches is not run again."""

import time
from pathlib import Path

import pytest
from tests.engines.trial import Trial, kubernetes

from palio.core.engine import Job
from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster, Json
from palio.engines.kubernetes.classify import GATE, NOT_CLAIMED
from palio.engines.kubernetes.job_objects import JobObjects, has_ended, running_since, state, terminated
from palio.engines.kubernetes.settings import Settings

pytestmark = [pytest.mark.kubernetes, pytest.mark.docker]  # Docker builds the image
WAIT_S = 90


def pods_of(objects: JobObjects, job: Job) -> list[Json]:
    found = objects.find(job)
    return objects.pods_of(job, found) if found else []


@pytest.mark.parametrize("loses", ["pod", "job"])
def test_deleted_while_nobody_watches_is_not_run_again(tmp_path: Path, loses: str) -> None:
    """A pod is replaced by the cluster. A job is created again by the next process of Palio, under the same name."""
    settings = Settings.read()
    cluster = Cluster(settings)
    objects = JobObjects(cluster, settings.namespace)
    trial = Trial(kubernetes(tmp_path), lambda: kubernetes(tmp_path), tmp_path)
    job = trial.job("import time\nwhile True: time.sleep(0.1)")
    try:
        trial.start(job)
        first = wait_for(objects, job, running_since)
        if loses == "pod":
            cluster.delete(f"{objects.pods}/{first['metadata']['name']}", {"gracePeriodSeconds": 0})
        else:
            objects.delete(job)
            wait_until_gone(objects, job)
            kubernetes(tmp_path).start(job)
        second = wait_for(objects, job, lambda pod: is_another(pod, first) and has_ended(pod))
        (gate,) = (each for each in second["status"]["initContainerStatuses"] if each["name"] == GATE)
        assert gate["state"]["terminated"]["exitCode"] == NOT_CLAIMED
        assert terminated(second) is None
        assert "running" not in state(second)
        with pytest.raises(PalioError, match="another pod of this job was first") as raised:
            trial.wait(job, kubernetes(tmp_path))
        assert first["metadata"]["uid"] in raised.value.failure.message
        assert raised.value.failure.code == "engine-fault"
    finally:
        trial.engine.remove(job)
    assert not (settings.folder / "palio-jobs" / job.name).exists()


def is_another(pod: Json, first: Json) -> bool:
    return bool(pod["metadata"]["uid"] != first["metadata"]["uid"])


def wait_for(objects: JobObjects, job: Job, is_wanted: object) -> Json:
    assert callable(is_wanted)
    deadline = time.monotonic() + WAIT_S
    while True:
        if found := [pod for pod in pods_of(objects, job) if is_wanted(pod)]:
            return found[0]
        assert time.monotonic() < deadline, pods_of(objects, job)
        time.sleep(0.2)


def wait_until_gone(objects: JobObjects, job: Job) -> None:
    deadline = time.monotonic() + WAIT_S
    while objects.find(job) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
