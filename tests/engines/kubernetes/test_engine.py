"""How jobs are started and removed, against a server that runs nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.kubernetes.fake_cluster import JOBS, LIMITS, NoImages, Server, running

from palio.core.engine import End, Job, Mount
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.kubernetes.engine import KubernetesEngine
from palio.engines.kubernetes.experiment import Enforced
from palio.engines.kubernetes.proof import Listener, Proof, _Trial
from palio.engines.kubernetes.settings import Settings


def test_start_copies_inputs_and_makes_an_output(engine: KubernetesEngine, job: Job, tmp_path: Path) -> None:
    engine.start(job)
    folder = tmp_path / "shared/palio-jobs" / job.name
    assert (folder / "in-0/below/case.txt").read_text() == "1"
    output = (folder / "out").stat()
    assert (output.st_uid in range(10001, 14097), output.st_mode & 0o777) == (True, 0o700)
    assert engine.job_names() == {job.name}


def test_inputs_on_the_volume_are_mounted_where_they_are(
    engine: KubernetesEngine, server: Server, job: Job, tmp_path: Path
) -> None:
    here = tmp_path / "shared/runs/1/in"
    here.mkdir(parents=True)
    engine.start(replace(job, mounts=(Mount(here, "/mnt/in"),)))
    (container,) = server.objects[f"{JOBS}/{job.name}"]["spec"]["template"]["spec"]["containers"]
    paths = {each["mountPath"]: each.get("subPath") for each in container["volumeMounts"]}
    assert paths["/mnt/in"] == "runs/1/in"
    assert {path.name for path in (tmp_path / "shared/palio-jobs" / job.name).iterdir()} == {"launch", "name", "out"}


def test_starting_again_creates_nothing(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    before = json.dumps(server.objects)
    engine.start(job)
    assert (server.created, json.dumps(server.objects)) == (1, before)


def test_job_of_the_same_name_with_another_specification_is_not_ours(
    engine: KubernetesEngine, server: Server, job: Job
) -> None:
    engine.start(job)
    with pytest.raises(PalioError) as raised:
        engine.start(replace(job, image="palio-build:2"))
    assert raised.value.failure.code == "cluster-job-blocked"
    assert f"kubectl -n palio-jobs delete job {job.name}" in raised.value.failure.next_step
    assert server.created == 1


def test_program_that_cannot_be_started_is_not_sent_to_the_cluster(
    engine: KubernetesEngine, server: Server, job: Job, tmp_path: Path
) -> None:
    script = replace(job, command=("/app/run.sh",))
    engine.start(script)
    engine.start(script)
    result = engine.poll(script)
    assert result is not None
    assert (result.end, result.detail) == (End.NOT_STARTED, "/app/run.sh is not executable")
    assert job.log.read_text() == "/app/run.sh is not executable\n"
    assert KubernetesEngine(Settings(tmp_path / "shared")).poll(script) == result
    assert (server.created, engine.job_names()) == (0, frozenset({job.name}))
    engine.remove(script)
    assert engine.job_names() == frozenset()


def test_two_jobs_have_two_users(engine: KubernetesEngine, server: Server, job: Job) -> None:
    users = set()
    for number in range(20):
        other = replace(job, name=f"palio-1a2b3c4d-{number}")
        engine.start(other)
        users.add(server.objects[f"{JOBS}/{other.name}"]["metadata"]["annotations"]["palio/uid"])
    assert len(users) == 20


def test_job_that_lost_a_safety_field_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    class Webhook(Server):
        def change(self, content: dict[str, Any]) -> None:
            if content["metadata"]["name"] == job.name:
                content["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] = False

    server = Webhook()
    with running(server, tmp_path, monkeypatch) as (engine, _), pytest.raises(PalioError) as raised:
        engine.start(job)
    assert raised.value.failure.code == "cluster-job-blocked"
    assert "runAsNonRoot" in raised.value.failure.message
    assert server.deleted == [(f"{JOBS}/{job.name}", {"propagationPolicy": "Background"})]


def test_cluster_that_drops_a_safety_field_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(Server):
        def change(self, content: dict[str, Any]) -> None:
            if content["kind"] == "Job":
                del content["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]

    with pytest.raises(PalioError) as raised, running(Old(), tmp_path, monkeypatch):
        pass
    assert raised.value.failure.code == "cluster-refused"
    assert "readOnlyRootFilesystem" in raised.value.failure.message


def test_fields_that_an_old_server_does_not_know_are_not_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Job
) -> None:
    class Old(Server):
        def change(self, content: dict[str, Any]) -> None:
            if content["kind"] == "Job":
                del content["spec"]["template"]["spec"]["hostUsers"], content["spec"]["podFailurePolicy"]

    def user(engine: KubernetesEngine) -> str:
        return next(each.detail for each in engine.guarantees() if each.property == "user")

    with running(Old(), tmp_path, monkeypatch) as (old, _):
        old.start(job)
        assert "user namespace" not in user(old)
    with running(Server(), tmp_path, monkeypatch) as (new, _):
        assert "user namespace" in user(new)


def test_changed_network_policy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    with running(server, tmp_path, monkeypatch):
        pass
    path = "/apis/networking.k8s.io/v1/namespaces/palio-jobs/networkpolicies/palio-no-network"
    with running(server, tmp_path, monkeypatch):
        pass
    server.objects[path]["spec"]["egress"] = [{}]
    with pytest.raises(PalioError) as raised, running(server, tmp_path, monkeypatch):
        pass
    assert "kubectl -n palio-jobs delete networkpolicy palio-no-network" in raised.value.failure.next_step


def test_removed_job_cleaned_up(engine: KubernetesEngine, server: Server, job: Job, tmp_path: Path) -> None:
    engine.start(job)
    server.end(job, "exit-0")
    engine.poll(job)
    deep = tmp_path / "shared/palio-jobs" / job.name / "out/a/b/c"
    deep.mkdir(parents=True)
    (deep / "file").write_text("1")
    engine.remove(job)
    assert server.deleted == [(f"{JOBS}/{job.name}", {"propagationPolicy": "Background"})]
    assert list((tmp_path / "shared/palio-jobs").iterdir()) == []
    assert engine.job_names() == frozenset()
    with pytest.raises(PalioError, match="no longer exists"):
        engine.poll(job)
    engine.remove(job)


def test_claim_is_in_a_folder_of_the_job_that_goes_with_it(
    keeping: KubernetesEngine, server: Server, job: Job, tmp_path: Path
) -> None:
    keeping.start(job)
    claim = tmp_path / "shared/palio-jobs" / job.name / "claim"
    facts, kept = claim.stat(), (claim.parent / "kept").stat()
    assert (facts.st_uid, facts.st_mode & 0o777) == (kept.st_uid, 0o700)
    gate, *_ = server.objects[f"{JOBS}/{job.name}"]["spec"]["template"]["spec"]["initContainers"]
    assert gate["volumeMounts"][0]["subPath"] == f"palio-jobs/{job.name}/claim"
    (claim / "pod").write_text("one started")
    keeping.remove(job)
    assert not claim.parent.exists()


def test_limits_beyond_every_node_are_refused(engine: KubernetesEngine, server: Server) -> None:
    for name, memory in (("small", "2Gi"), ("large", "8000000Ki")):
        allocatable = {"cpu": "3500m", "memory": memory}
        server.objects[f"/api/v1/nodes/{name}"] = {"status": {"allocatable": allocatable}}
    engine.check(replace(LIMITS, cpus=3.5))
    for wrong, setting in (({"cpus": 4.0}, "cpus"), ({"memory_bytes": 1 << 40}, "memory"), ({"gpus": 1}, "gpus")):
        with pytest.raises(PalioError) as raised:
            engine.check(replace(LIMITS, **wrong))
        assert raised.value.failure.code == "limit-unavailable"
        assert setting in raised.value.failure.message
    engine._settings = replace(engine._settings, gate_image="palio:1")
    engine.check(replace(LIMITS, cpus=3.5))  # which its keeper shares
    with pytest.raises(PalioError, match="memory"):  # but has memory of its own
        engine.check(replace(LIMITS, memory_bytes=8_000_000 * 1024 - MIB))


@pytest.mark.parametrize(("cpus", "requested"), [(3.4, "3400m"), (3.5, "3400m")])
def test_keeper_shares_cpus_where_no_node_has_more(
    keeping: KubernetesEngine, server: Server, job: Job, cpus: float, requested: str
) -> None:
    server.objects["/api/v1/nodes/node1"] = {"status": {"allocatable": {"cpu": "3500m", "memory": "8Gi"}}}
    keeping.start(replace(job, limits=replace(job.limits, cpus=cpus)))
    found = server.objects[f"{JOBS}/{job.name}"]["spec"]["template"]["spec"]["containers"]
    keeper, stage = (each["resources"] for each in found)
    assert (stage["requests"]["cpu"], stage["limits"]["cpu"]) == (requested, f"{round(cpus * 1000)}m")
    assert stage["requests"]["memory"] == stage["limits"]["memory"]
    assert keeper["requests"] == keeper["limits"]


def test_limits_are_not_tried_with_an_image_that_cannot_prove_anything(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path / "shared", gate_image="palio:1", address="127.0.0.1")
    proof = Proof(fault="it cannot be pulled")
    with running(server, tmp_path, monkeypatch):
        made = KubernetesEngine(settings, images=NoImages(""), prove=lambda *_: proof)
    assert made._enforced == Enforced(fault="it cannot be pulled")
    assert server.created == 0


def test_only_trials_of_killed_processes_are_removed(engine: KubernetesEngine, server: Server, job: Job) -> None:
    trial = replace(job, name="palio-limits-0a-1", mounts=())
    for each in (job, trial):
        engine.start(each)
        server.end(each, "exit-0")
    engine._remove_trials("palio-limits-0a-")
    assert engine.job_names() == {job.name}


def test_proofs_of_killed_processes_are_removed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("palio-proof-1-control", "palio-1a2b3c4d-predict"):
        server.objects[f"{JOBS}/{name}"] = {"metadata": {"name": name, "annotations": {}}, "kind": "Job"}
    with running(server, tmp_path, monkeypatch) as (engine, _):
        cluster = engine._cluster
        _Trial(cluster, Settings(tmp_path), Listener("127.0.0.1"))._remove_earlier()
    assert [path for path, _ in server.deleted if "palio-1a2b" in path] == []
    assert [path for path, _ in server.deleted if "palio-proof" in path] == [f"{JOBS}/palio-proof-1-control"]
