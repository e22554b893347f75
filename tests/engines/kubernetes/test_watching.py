"""How jobs are followed to their end, against a server that runs nothing."""

import io
import json
import tarfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engines.kubernetes.fake_cluster import (
    ENDS,
    JOBS,
    PODS,
    Server,
    ended,
    once_ended,
    set_keeper,
    tell_space,
)

from palio.core.engine import Collected, End, Job, Waiting
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.kubernetes.engine import KubernetesEngine
from palio.engines.kubernetes.settings import Settings
from palio.engines.kubernetes.watching import WatchedJob


def test_second_pod_of_a_job_is_a_fault(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    server.end(job, "exit-0")
    server.objects[f"{PODS}/{job.name}-y"] = server.objects[f"{PODS}/{job.name}-x"]
    with pytest.raises(PalioError, match="second pod"):
        engine.poll(job)


def test_pod_of_an_earlier_job_of_the_name_is_not_its_own(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    server.end(job, "exit-3")
    server.objects[f"{PODS}/{job.name}-x"]["metadata"]["ownerReferences"] = [{"uid": "earlier"}]
    server.objects[f"{JOBS}/{job.name}"]["status"] = {"active": 1}
    assert engine.poll(job) is None


def test_job_that_ran_too_long_is_ended_with_the_reason(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    server.end(job, "running")  # since longer than its limit
    server.objects[f"{PODS}/{job.name}-x"]["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = (
        "2026-01-01T00:00:00Z"
    )
    assert engine.poll(job) is None
    change = {"metadata": {"annotations": {"palio/ended-by": "time limit"}}, "spec": {"activeDeadlineSeconds": 1}}
    assert server.patched == [(f"{PODS}/{job.name}-x", change)]


def test_job_that_wrote_too_much_is_ended_with_the_reason(
    engine: KubernetesEngine, server: Server, job: Job, tmp_path: Path
) -> None:
    engine.start(job)
    server.end(job, "running")
    now = engine._cluster.now().isoformat()
    server.objects[f"{PODS}/{job.name}-x"]["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = now
    assert engine.poll(job) is None
    (tmp_path / "shared/palio-jobs" / job.name / "out/large").write_bytes(bytes(2 * MIB))
    engine._watched[job.name].measured = float("-inf")
    deadline = time.monotonic() + 5
    while not server.patched:
        assert engine.poll(job) is None
        assert time.monotonic() < deadline
    assert [content["metadata"]["annotations"] for _, content in server.patched] == [{"palio/ended-by": "output limit"}]
    server.end(job, "output-limit")
    result = ended(engine, job)
    assert (result.end, result.detail) == (End.OUTPUT_SIZE, "2.00 MiB of 1.00 MiB")


def test_ended_job_waits_for_its_output(keeping: KubernetesEngine, server: Server, job: Job, tmp_path: Path) -> None:
    keeping.start(job)
    kept = tmp_path / "shared/palio-jobs" / job.name / "kept"
    server.end(job, "exit-0")
    set_keeper(server, job, running={"startedAt": "2026-11-30T10:00:00Z"})
    assert keeping.poll(job) is None
    assert (kept / "finish").read_text()
    with tarfile.open(kept / "out.tar", "w") as archive:
        member = tarfile.TarInfo("out/answer.csv")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"1,2"))
    tell_space(kept, 4096, peak_memory_bytes=9 * MIB, cpu_s=1.5)  # the kernel had no counter of processes
    set_keeper(server, job, terminated={"exitCode": 0, "reason": "Completed"})
    result = ended(keeping, job)
    assert (result.end, result.exit_code) == (End.EXITED, 0)
    assert (result.peak_memory_bytes, result.cpu_s, result.peak_pids) == (9 * MIB, 1.5, None)
    assert keeping.collect(job, tmp_path / "collected") == Collected(("answer.csv",), 3)
    assert (tmp_path / "collected/answer.csv").read_text() == "1,2"


def test_keeper_that_does_not_end_is_a_fault(keeping: KubernetesEngine, server: Server, job: Job) -> None:
    keeping.start(job)
    server.end(job, "exit-0")
    set_keeper(server, job, running={"startedAt": "2026-11-30T10:00:00Z"})
    watched = WatchedJob(job, keeping._cluster, keeping._settings, keeping._volume, kept_s=0)
    with closing(watched), pytest.raises(PalioError, match="its keeper did not end"):
        once_ended(watched.poll)


def test_job_that_runs_again_in_another_pod_is_a_fault(
    engine: KubernetesEngine, server: Server, job: Job, tmp_path: Path
) -> None:
    """As Kueue does after it took back the quota; a process that knows nothing of the first pod notices, too."""
    engine.start(job)
    server.end(job, "running")
    path = f"{PODS}/{job.name}-x"
    server.objects[path]["metadata"]["uid"] = "first"
    now = engine._cluster.now().isoformat()
    server.objects[path]["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = now
    assert engine.poll(job) is None
    server.end(job, "exit-0")
    server.objects[path]["metadata"]["uid"] = "second"
    with pytest.raises(PalioError, match="ran it again in a second pod") as raised:
        ended(KubernetesEngine(Settings(tmp_path / "shared")), job)
    assert raised.value.failure.code == "engine-fault"


def test_suspended_job_whose_claim_is_held_is_not_waited_for(
    keeping: KubernetesEngine, server: Server, job: Job, tmp_path: Path
) -> None:
    """Its program ran while nobody watched; that of no other pod would start."""
    keeping.start(job)
    server.objects[f"{JOBS}/{job.name}"]["spec"]["suspend"] = True
    (tmp_path / "shared/palio-jobs" / job.name / "claim/pod").write_text("one started")
    with pytest.raises(PalioError, match="its quota was revoked"):
        ended(keeping, job)


def test_job_that_waits_in_a_queue_is_waited_for(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine._settings = replace(engine._settings, queue="challenge")
    engine.start(job)
    found = server.objects[f"{JOBS}/{job.name}"]
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "challenge"
    found["spec"]["suspend"] = True
    found["status"] = {"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]}
    assert engine.waiting(job) is None
    assert engine.poll(job) is None
    assert engine.waiting(job) == Waiting(position=None)  # there is no Kueue to ask
    found["spec"]["suspend"] = False
    server.end(job, "exit-0")
    assert ended(engine, job).succeeded
    assert engine.waiting(job) is None


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_place_in_the_queue_and_quota_that_was_revoked(
    always_looking: KubernetesEngine, server: Server, job: Job, version: str
) -> None:
    """A job that has run is not waited for: Kueue would run it once more."""
    engine = always_looking
    queue = ENDS.parent / "queue" / version
    engine._settings = replace(engine._settings, queue="challenge")
    engine.start(job)
    found = server.objects[f"{JOBS}/{job.name}"]
    found["spec"]["suspend"] = True
    evicted = json.loads((queue / "workload-evicted.json").read_text())
    server.objects["/apis"] = json.loads((queue / "groups.json").read_text())
    server.objects[f"/apis/kueue.x-k8s.io/{version}/namespaces/palio-jobs/workloads"] = {"items": [evicted]}
    of_queue = f"/apis/visibility.kueue.x-k8s.io/{version}/namespaces/palio-jobs/localqueues/challenge/pendingworkloads"
    server.objects[of_queue] = json.loads((queue / "pending-workloads.json").read_text())
    assert engine.poll(job) is None
    assert engine.waiting(job) == Waiting(position=2)
    found["spec"]["suspend"] = False
    server.end(job, "running")
    state = server.objects[f"{PODS}/{job.name}-x"]["status"]["containerStatuses"][0]["state"]
    state["running"]["startedAt"] = engine._cluster.now().isoformat()
    assert engine.poll(job) is None
    assert engine.waiting(job) is None
    found["spec"]["suspend"] = True
    del server.objects[f"{PODS}/{job.name}-x"]
    with pytest.raises(PalioError, match=r"its quota was revoked \(Evicted: Preempted: ") as raised:
        ended(engine, job)
    assert raised.value.failure.code == "engine-fault"
