"""What the end of a job means for its attempt, against a server that gives it a pod which has ended so."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.engines.kubernetes.fake_cluster import Server, ended, set_keeper, tell_space

from palio.core.engine import End, Job
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.kubernetes.engine import KubernetesEngine


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


def test_pod_that_did_not_get_the_claim_is_a_fault(engine: KubernetesEngine, server: Server, job: Job) -> None:
    engine.start(job)
    server.end(job, "claimed-by-another-pod")
    with pytest.raises(PalioError, match="another pod of this job was first") as raised:
        ended(engine, job)
    assert raised.value.failure.code == "engine-fault"


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
