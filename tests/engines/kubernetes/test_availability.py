"""What `palio doctor --engine kubernetes` says of a cluster in which jobs cannot run, each with the next step."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.engines.kubernetes.fake_api import Asked, Reply, refusal, serving

from palio.engines.fault import Unavailable
from palio.engines.kubernetes import availability

NAMESPACE = "/api/v1/namespaces/palio-jobs"
CLAIM = f"{NAMESPACE}/persistentvolumeclaims/palio-jobs"
JOBS = "/apis/batch/v1/namespaces/palio-jobs/jobs"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
QUOTAS = f"{NAMESPACE}/resourcequotas"
NODES = "/api/v1/nodes"


def nodes(*runtimes: str) -> Reply:
    items = [
        {"metadata": {"name": f"node{number}"}, "status": {"nodeInfo": {"containerRuntimeVersion": runtime}}}
        for number, runtime in enumerate(runtimes, 1)
    ]
    return Reply(content={"items": items})


def cluster(asked: Asked) -> Reply:
    """One in which jobs can run."""
    match asked.path:
        case "/version":
            return Reply(content={"gitVersion": "v1.34.2"})
        case "/apis/batch/v1/namespaces/palio-jobs/jobs":
            return Reply(201, asked.content)
    if asked.path == CLAIM:
        return Reply(content={"status": {"phase": "Bound"}})
    if asked.path == REVIEWS:
        return Reply(201, {"status": {"allowed": True}})
    if asked.path == NODES:
        return nodes("docker://29.1.3")
    if asked.path == QUOTAS:
        return Reply(content={"items": []})
    return refusal(404, "not found")


def fault(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Callable[[Asked], Reply] | Reply],
    **settings: str,
) -> Unavailable | None:
    """With these answers in place of the cluster's."""

    def answer(asked: Asked) -> Reply:
        changed = answers.get(asked.path, cluster)
        return changed if isinstance(changed, Reply) else changed(asked)

    for name in [each for each in os.environ if each.startswith("PALIO_KUBERNETES_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(availability, "why_docker_unavailable", lambda: None)
    monkeypatch.setenv("PALIO_KUBERNETES_FOLDER", str(tmp_path))
    for name, value in settings.items():
        monkeypatch.setenv(f"PALIO_KUBERNETES_{name}", value)
    with serving(answer) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        return availability.why_unavailable()


def test_usable_cluster_has_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault(tmp_path, monkeypatch, {}) is None


def test_nodes_that_do_not_share_images_need_a_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fault(tmp_path, monkeypatch, {NODES: nodes("docker://29.1.3", "containerd://2.1.4")})
    assert found is not None
    assert "PALIO_KUBERNETES_REGISTRY is not set, and the node node2 (containerd://2.1.4) does not have" in found.reason
    assert "`export PALIO_KUBERNETES_REGISTRY=registry.example:5000/palio`" in found.next_step


def denied(verb: str, resource: str) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        wanted: dict[str, Any] = asked.content["spec"]["resourceAttributes"]
        full = "/".join(filter(None, (wanted["resource"], wanted["subresource"])))
        return Reply(201, {"status": {"allowed": (wanted["verb"], full) != (verb, resource)}})

    return answer


def quota(**hard: str) -> Reply:
    items = [{"metadata": {"name": "compute"}, "spec": {"hard": {"pods": "10", **hard}}}]
    return Reply(content={"items": items})


FORBIDDEN = 'forbidden: User "me" cannot {} resource "{}" in API group "" in the namespace "palio-jobs"'


@pytest.mark.parametrize(
    ("answers", "reason", "command"),
    [
        ({"/version": refusal(401, "Unauthorized")}, "a token may have expired", "kubectl get namespaces"),
        ({"/version": Reply(content={"gitVersion": "v1.19.9"})}, "needs at least 1.20", "Upgrade the cluster"),
        (
            {"/version": Reply(content={"gitVersion": "v1.34.2"}, headers={"Date": "Mon, 01 Jan 2035 00:00:00 GMT"})},
            "ahead of this machine's",
            "timedatectl set-ntp true",
        ),
        (
            {CLAIM: refusal(404, 'namespaces "palio-jobs" not found')},
            "the namespace palio-jobs does not exist",
            "kubectl create namespace palio-jobs",
        ),
        ({CLAIM: refusal(404, "not found")}, "has no claim palio-jobs of a volume", "kubectl -n palio-jobs apply"),
        (
            {CLAIM: Reply(content={"status": {"phase": "Pending"}})},
            "no default storage class",
            "kubectl get storageclass",
        ),
        (
            {CLAIM: refusal(403, FORBIDDEN.format("get", "persistentvolumeclaims"))},
            "me may not get persistentvolumeclaims",
            "--verb=get --resource=persistentvolumeclaims -n palio-jobs",
        ),
        (
            {REVIEWS: denied("watch", "pods")},
            "may not watch pods in palio-jobs",
            "kubectl create role palio-watch-pods --verb=watch --resource=pods -n palio-jobs",
        ),
        (
            {REVIEWS: denied("get", "pods/log")},
            "may not get pods/log",
            "create role palio-get-pods-log --verb=get --resource=pods/log -n palio-jobs",
        ),
        (
            {REVIEWS: denied("delete", "jobs")},
            "may not delete jobs.batch",
            "--verb=delete --resource=jobs.batch -n palio-jobs",
        ),
        (
            {REVIEWS: denied("list", "nodes")},
            "may not list nodes",
            "create clusterrole palio-list-nodes --verb=list --resource=nodes`",
        ),
        (
            {QUOTAS: quota(**{"requests.memory": "0"})},
            "the quota compute of the namespace palio-jobs allows 0 requests.memory",
            "kubectl -n palio-jobs edit resourcequota compute",
        ),
        ({QUOTAS: quota(pods="0")}, "allows 0 pods", "edit resourcequota compute"),
        ({JOBS: refusal(404, "the server could not find the requested resource")}, "batch/v1 jobs", "upgrade Palio"),
        (
            {JOBS: refusal(403, "jobs is forbidden: exceeded quota: compute, used: count/jobs.batch=10")},
            "exceeded quota: compute",
            "kubectl -n palio-jobs describe resourcequota,limitrange",
        ),
    ],
)
def test_cluster_in_which_jobs_cannot_run_names_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Callable[[Asked], Reply] | Reply],
    reason: str,
    command: str,
) -> None:
    found = fault(tmp_path, monkeypatch, answers)
    assert found is not None
    assert reason in found.reason
    assert command in found.next_step


@pytest.mark.parametrize("unread", [refusal(403, FORBIDDEN.format("list", "resourcequotas")), quota(services="0")])
def test_quota_that_is_unknown_or_of_something_else_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: Reply
) -> None:
    assert fault(tmp_path, monkeypatch, {QUOTAS: unread}) is None


def test_wrong_context_and_missing_registry_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = fault(tmp_path, monkeypatch, {}, CONTEXT="elsewhere")
    assert wrong is not None
    assert "no usable context 'elsewhere'" in wrong.reason
    assert "PALIO_KUBERNETES_CONTEXT" in wrong.next_step
    away = fault(tmp_path, monkeypatch, {}, REGISTRY="127.0.0.1:1/palio")
    assert away is not None
    assert "the registry 127.0.0.1:1 does not respond" in away.reason


def test_folder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fault(tmp_path, monkeypatch, {}, FOLDER=str(tmp_path / "missing"))
    assert found is not None
    assert "is not a folder that Palio may write to" in found.reason
