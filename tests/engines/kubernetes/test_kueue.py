"""What Kueue says, from objects written after its API types (kueue.x-k8s.io and visibility.kueue.x-k8s.io), of both
versions that it serves. A server that has both prefers v1beta2.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.engines.kubernetes.fake_api import Asked, Reply, refusal, serving

from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster
from palio.engines.kubernetes.kueue import Kueue, position, revoked
from palio.engines.kubernetes.settings import Settings

QUEUE = Path(__file__).parent / "queue"
JOB = {"metadata": {"uid": "a8c26cf8-5e0a-4f6c-8d28-2c5f0f3c0001"}}


@pytest.fixture(params=["v1beta1", "v1beta2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(version: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((QUEUE / version / f"{name}.json").read_text())
    return content


@contextmanager
def kueue(answer: Callable[[Asked], Reply], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kueue]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with serving(answer) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        yield Kueue(Cluster(Settings(tmp_path)), "palio-jobs")


def with_kueue(version: str, asked: Asked) -> Reply:
    of_queue = f"/apis/visibility.kueue.x-k8s.io/{version}/namespaces/palio-jobs/localqueues/challenge/pendingworkloads"
    if asked.path == "/apis":
        return Reply(content=read(version, "groups"))
    if asked.path == f"/apis/kueue.x-k8s.io/{version}/namespaces/palio-jobs/workloads":
        own = asked.query["labelSelector"] == f"kueue.x-k8s.io/job-uid={JOB['metadata']['uid']}"
        return Reply(content={"items": [read(version, "workload-evicted")] if own else []})
    if asked.path == of_queue:
        return Reply(content=read(version, "pending-workloads"))
    return refusal(404, "not found")


def without_rights(asked: Asked) -> Reply:
    if asked.path == "/apis":
        return Reply(content=read("v1beta2", "groups"))
    resource = 'workloads.kueue.x-k8s.io is forbidden: User "palio" cannot list resource "workloads" in API group'
    return refusal(403, f'{resource} "kueue.x-k8s.io" in the namespace "palio-jobs"')


def test_position_counts_from_one(version: str) -> None:
    pending = read(version, "pending-workloads")
    names = ("job-palio-1a2b3c4d-predict-c2a7f", "job-palio-9z8y7x6w-predict-0f1e2", "job-of-somebody-else")
    assert [position(pending, name) for name in names] == [2, 1, None]


def test_only_conditions_that_hold_tell_of_quota_revoked(version: str) -> None:
    assert revoked(read(version, "workload-evicted")) == (
        "Evicted: Preempted: Preempted to accommodate a workload (UID: 5c0a, JobUID: 77e1) due to prioritization in "
        "the ClusterQueue; Preempted: InClusterQueue: Preempted to accommodate a workload (UID: 5c0a, JobUID: 77e1) "
        "due to prioritization in the ClusterQueue"
    )
    assert revoked(read(version, "workload-pending")) == ""


def test_found_by_discovery(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with kueue(partial(with_kueue, version), tmp_path, monkeypatch) as found:
        assert found.position(JOB, "challenge") == 2
        assert found.position(JOB, "another") is None
        assert found.revoked(JOB).startswith("Evicted: Preempted: ")
        assert found.revoked({"metadata": {"uid": "another"}}) == ""


@pytest.mark.parametrize(
    "answer", [lambda _: Reply(content={"groups": []}), lambda _: refusal(404, "not found"), without_rights]
)
def test_without_kueue_or_the_right_to_read_it(
    answer: Callable[[Asked], Reply], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kueue(answer, tmp_path, monkeypatch) as found:
        assert (found.position(JOB, "challenge"), found.revoked(JOB)) == (None, "")


def test_unreachable_server_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with kueue(lambda _: refusal(503, "starting"), tmp_path, monkeypatch) as found:
        with pytest.raises(PalioError) as raised:
            found.position(JOB, "challenge")
        assert raised.value.failure.code == "cluster-unreachable"
