"""The engine against a server on this machine that keeps objects as the API does, without running anything."""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.kubernetes.fake_api import Asked, FakeApi, Reply, refusal, serving

from palio.core.engine import Collected, End, Job, JobResult, Limits, Mount, Waiting
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.docker import ImageConfig
from palio.engines.kubernetes import engine as engine_module
from palio.engines.kubernetes.engine import LOOK_S, KubernetesEngine
from palio.engines.kubernetes.images import Images
from palio.engines.kubernetes.proof import Listener, _Trial
from palio.engines.kubernetes.settings import Settings

LIMITS = Limits(time_s=500, memory_bytes=256 * MIB, cpus=1, output_bytes=MIB)
JOBS = "/apis/batch/v1/namespaces/palio-jobs/jobs"
PODS = "/api/v1/namespaces/palio-jobs/pods"
ENDS = Path(__file__).parent / "ends"


@dataclass
class Server:
    """Objects by path. `change` alters what is created, as an admission webhook or an old server would."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[tuple[str, Any]] = field(default_factory=list)
    patched: list[tuple[str, Any]] = field(default_factory=list)
    log: bytes = b""
    created: int = 0

    def change(self, content: dict[str, Any]) -> None:
        """Nothing."""

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/version":
            return Reply(content={"gitVersion": "v1.34.2"})
        if asked.path.endswith("/log"):
            return Reply(raw=self.log)
        if asked.query.get("watch"):
            return refusal(503, "no watches here")  # then every poll looks for itself
        match asked.method:
            case "POST":
                return self._create(asked)
            case "DELETE":
                self.deleted.append((asked.path, asked.content))
                self.objects.pop(asked.path, None)
                return Reply()
            case "PATCH":
                self.patched.append((asked.path, asked.content))
                return Reply()
        if asked.path in self.objects:
            return Reply(content=self.objects[asked.path])
        if asked.path.rpartition("/")[2] in ("jobs", "pods", "events", "nodes"):
            below = [each for path, each in self.objects.items() if path.rpartition("/")[0] == asked.path]
            return Reply(content={"metadata": {"resourceVersion": "1"}, "items": below})
        return refusal(404, "not found")

    def _create(self, asked: Asked) -> Reply:
        content = json.loads(json.dumps(asked.content))
        path = f"{asked.path}/{content['metadata']['name']}"
        if path in self.objects:
            return refusal(409, "already exists")
        self.change(content)
        content["metadata"] |= {"uid": f"uid-{len(self.objects)}", "creationTimestamp": "2026-11-30T10:00:00Z"}
        if "dryRun" not in asked.query:
            self.objects[path] = content
            self.created += content["kind"] == "Job"
        return Reply(201, content)

    def end(self, job: Job, example: str) -> None:
        """Gives the job the pod of an example in ends/, which has ended in that way."""
        given = json.loads((ENDS / f"{example}.json").read_text())
        mine = self.objects[f"{JOBS}/{job.name}"]
        mine["status"] = given["job"]["status"]
        pod = given["pod"]
        pod["metadata"] |= {"name": f"{job.name}-x", "ownerReferences": [{"uid": mine["metadata"]["uid"]}]}
        self.objects[f"{PODS}/{job.name}-x"] = pod
        if node := given["node"]:
            self.objects["/api/v1/nodes/node1"] = node


class NoImages(Images):
    """A Docker engine without images and without anything to remove."""

    def config(self, image: str) -> ImageConfig | None:
        return ImageConfig(volumes=("/data",), entry_point=("/usr/bin/env",), command=("run",), architecture="amd64")

    def why_not_startable(self, job: Job) -> str:
        return "/app/run.sh is not executable" if job.command == ("/app/run.sh",) else ""

    def remove(self, work: object) -> None:
        pass

    def job_names(self) -> frozenset[str]:
        return frozenset()


@contextmanager
def running(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gate_image: str = "", look_s: float = LOOK_S
) -> Iterator[tuple[KubernetesEngine, FakeApi]]:
    monkeypatch.setattr(engine_module, "Images", NoImages)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with serving(server) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        engine = KubernetesEngine(Settings(tmp_path / "shared"), look_s=look_s)
        engine._settings = replace(engine._settings, gate_image=gate_image)  # without an experiment
        try:
            yield engine, fake
        finally:
            for watched in engine._watched.values():
                watched.watch.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def engine(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesEngine]:
    with running(server, tmp_path, monkeypatch) as (made, _):
        yield made


@pytest.fixture
def job(tmp_path: Path) -> Job:
    source = tmp_path / "in"
    (source / "below").mkdir(parents=True)
    (source / "below/case.txt").write_text("1")
    return Job(
        name="palio-1a2b3c4d-predict",
        image="palio-build:1",
        limits=LIMITS,
        log=tmp_path / "predict.log",
        output="/mnt/out",
        mounts=(Mount(source, "/mnt/in"),),
    )


def ended(engine: KubernetesEngine, job: Job) -> JobResult:
    """Its result, once the watch has noticed that the server has no watches."""
    deadline = time.monotonic() + 5
    while (result := engine.poll(job)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


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


@pytest.mark.parametrize(
    ("example", "end", "exit_code"),
    [
        ("exit-0", End.EXITED, 0),
        ("exit-3", End.EXITED, 3),
        ("exit-127", End.EXITED, 127),
        ("out-of-memory", End.MEMORY, 137),
        ("evicted-own-disk", End.MEMORY, 137),
        ("time-limit", End.TIME, 143),
        ("time-limit-of-a-program-that-had-failed", End.EXITED, 3),
        ("command-not-found", End.NOT_STARTED, 128),
        ("stopped", End.EXITED, 143),
        ("output-limit", End.OUTPUT_SIZE, 143),
    ],
)
def test_ends_become_results(
    engine: KubernetesEngine, server: Server, job: Job, example: str, end: End, exit_code: int
) -> None:
    engine.start(job)
    assert engine.poll(job) is None
    server.log = b"printed\n"
    server.end(job, example)
    result = ended(engine, job)
    assert (result.end, result.exit_code) == (end, exit_code)
    assert job.log.read_text() == "printed\n" or example == "command-not-found"
    assert engine.poll(job) == result


@pytest.mark.parametrize("example", ["node-gone", "pod-deleted-while-running", "refused-by-the-node", "status-unknown"])
def test_ends_by_the_platform_are_faults_that_are_retried(
    engine: KubernetesEngine, server: Server, job: Job, example: str
) -> None:
    engine.start(job)
    server.end(job, example)
    with pytest.raises(PalioError) as raised:
        engine.poll(job)
    assert raised.value.failure.code == "engine-fault"


@pytest.mark.parametrize("example", ["evicted-node-pressure", "disrupted-termination-by-kubelet"])
def test_end_by_node_pressure_names_the_node(engine: KubernetesEngine, server: Server, job: Job, example: str) -> None:
    engine.start(job)
    server.end(job, example)
    with pytest.raises(PalioError) as raised:
        engine.poll(job)
    failure = raised.value.failure
    assert failure.code == "cluster-node-pressure"
    assert failure.message.startswith(f"The node node1 ran out of a resource and ended {job.name}: ")
    assert "kubectl describe node node1`" in failure.next_step.replace("kubectl --context fake", "kubectl")


@pytest.mark.parametrize(
    ("example", "command"),
    [
        ("runs-as-root", "describe job palio-1a2b3c4d-predict"),
        ("deadline-before-the-limit", "get events"),
    ],
)
def test_ends_that_the_operator_has_to_fix_name_a_command(
    engine: KubernetesEngine, server: Server, job: Job, example: str, command: str
) -> None:
    engine.start(job)
    server.end(job, example)
    with pytest.raises(PalioError) as raised:
        engine.poll(job)
    assert raised.value.failure.code == "cluster-job-blocked"
    assert f"kubectl -n palio-jobs {command}" in raised.value.failure.next_step


@pytest.mark.parametrize(
    ("registry", "next_step"),
    [
        ("", "`export PALIO_KUBERNETES_REGISTRY=registry.example:5000/palio`"),
        ("registry:5000", "kubectl -n palio-jobs describe pod palio-1a2b3c4d-predict-x"),
    ],
)
def test_image_that_the_node_lacks_names_the_setting(
    engine: KubernetesEngine, server: Server, job: Job, registry: str, next_step: str
) -> None:
    engine._settings = replace(engine._settings, registry=registry)
    engine.start(job)
    server.end(job, "image-never-pulled")
    with pytest.raises(PalioError) as raised:
        engine.poll(job)
    assert raised.value.failure.code == "cluster-job-blocked"
    assert ("does not have the image palio-build:1" in raised.value.failure.message) is (not registry)
    assert next_step in raised.value.failure.next_step


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


@pytest.fixture
def keeping(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesEngine]:
    """An engine whose jobs have keepers."""
    with running(server, tmp_path, monkeypatch, gate_image="palio:1") as (made, _):
        yield made


def set_keeper(server: Server, job: Job, **state: Any) -> None:
    status = server.objects[f"{PODS}/{job.name}-x"]["status"]
    status["phase"] = "Running" if "running" in state else "Succeeded"
    status["containerStatuses"] = [each for each in status["containerStatuses"] if each["name"] == "job"]
    status["containerStatuses"].append({"name": "keeper", "state": state})


def tell_space(folder: Path, used_bytes: int, **used: float) -> None:
    blocks = {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1000, "f_bfree": 1000 - used_bytes // 4096}
    others = dict.fromkeys(("f_bavail", "f_files", "f_ffree", "f_favail", "f_flag", "f_namemax"), 0)
    (folder / "space.json").write_text(json.dumps(blocks | others | {"f_files": 100, "f_ffree": 99, "usage": used}))


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


@pytest.mark.parametrize("end", ["exit-3", "out-of-memory"])
def test_program_that_fails_at_a_full_output_exceeded_its_limit(
    keeping: KubernetesEngine, server: Server, job: Job, tmp_path: Path, end: str
) -> None:
    keeping.start(job)
    server.end(job, end)
    tell_space(tmp_path / "shared/palio-jobs" / job.name / "kept", MIB + 4096)
    set_keeper(server, job, terminated={"exitCode": 0, "reason": "Completed"})
    result = ended(keeping, job)
    assert (result.end, result.detail) == (End.OUTPUT_SIZE, "1.00 MiB of 1.00 MiB")


@pytest.mark.parametrize("told", ["", "{}", '{"usage": 1}', '{"usage": {"cpu_s": "x"}}'])
def test_use_that_the_keeper_did_not_tell_is_unknown(
    keeping: KubernetesEngine, server: Server, job: Job, tmp_path: Path, told: str
) -> None:
    keeping.start(job)
    server.end(job, "exit-3")
    (tmp_path / "shared/palio-jobs" / job.name / "kept/space.json").write_text(told)
    set_keeper(server, job, terminated={"exitCode": 0, "reason": "Completed"})
    result = ended(keeping, job)
    assert (result.exit_code, result.peak_memory_bytes, result.cpu_s, result.peak_pids) == (3, None, None, None)


def test_lost_output_of_a_job_that_succeeded_is_a_fault(keeping: KubernetesEngine, server: Server, job: Job) -> None:
    keeping.start(job)
    server.end(job, "exit-0")
    set_keeper(server, job, terminated={"exitCode": 137, "reason": "OOMKilled"})
    with pytest.raises(PalioError, match="its keeper ended early") as raised:
        ended(keeping, job)
    assert raised.value.failure.code == "engine-fault"


def test_lost_output_of_a_job_that_was_ended_too_late_is_a_fault(
    keeping: KubernetesEngine, server: Server, job: Job
) -> None:
    """Its kubelet was away while it finished, and Palio took it for one that runs too long."""
    keeping.start(job)
    server.end(job, "time-limit-of-a-program-that-had-ended")
    set_keeper(server, job, terminated={"exitCode": 143, "reason": "Error"})
    with pytest.raises(PalioError, match="its keeper ended early"):
        ended(keeping, job)


def test_keeper_that_does_not_end_is_a_fault(
    keeping: KubernetesEngine, server: Server, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_KEPT_S", 0.0)
    keeping.start(job)
    server.end(job, "exit-0")
    set_keeper(server, job, running={"startedAt": "2026-11-30T10:00:00Z"})
    with pytest.raises(PalioError, match="its keeper did not end"):
        ended(keeping, job)


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


def test_pod_that_did_not_get_the_claim_is_a_fault(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    server.end(job, "claimed-by-another-pod")
    with pytest.raises(PalioError, match="another pod of this job was first") as raised:
        ended(engine, job)
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


@pytest.fixture
def always_looking(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesEngine]:
    """An engine that looks at a job in every poll."""
    with running(server, tmp_path, monkeypatch, look_s=0) as (made, _):
        yield made


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


def test_long_log_keeps_its_beginning_and_end(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    server.log = b"first\n" + b"x" * (2 * MIB) + b"\nlast\n"
    server.end(job, "exit-0")
    assert engine.poll(job) is not None
    log = job.log.read_text()
    assert log.startswith("first\n")
    assert "[palio: the middle of this log was cut here]" in log
    assert log.endswith("last\n")
    assert len(log) < 1.2 * MIB


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
