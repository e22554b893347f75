"""`palio doctor --engine kubernetes`, against a small server on this machine."""

import json
from pathlib import Path

import pytest
from tests.engines.kubernetes.fake_api import Asked, Reply, refusal, serving

from palio.cli import main
from palio.engines.kubernetes import availability

CLAIM = "/api/v1/namespaces/palio-jobs/persistentvolumeclaims/palio-jobs"


def answer(asked: Asked) -> Reply:
    """A cluster with a claim, which accepts and keeps everything."""
    if asked.path == "/version":
        return Reply(content={"gitVersion": "v1.34.2"})
    if asked.path == CLAIM:
        return Reply(content={"status": {"phase": "Bound"}})
    if asked.path.endswith("/selfsubjectaccessreviews"):
        return Reply(201, asked.content | {"status": {"allowed": True}})
    return Reply(201, asked.content)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("PALIO_KUBERNETES_FOLDER", str(tmp_path))
    monkeypatch.setattr(availability, "why_docker_unavailable", lambda: None)
    return tmp_path


def finding(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)["findings"][-1]
    return found


def test_cluster_that_can_run_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(answer) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        assert main(["doctor", "--engine", "kubernetes"]) == 0
        created = [asked for asked in fake.asked if asked.method == "POST" and "dryRun" not in asked.query]
    printed = capsys.readouterr().out
    assert "kubernetes  Kubernetes 1.34.2 is available" in printed
    assert "network           not enforced" in printed
    assert [kind for asked in created if (kind := asked.content["kind"]) != "SelfSubjectAccessReview"] == [
        "NetworkPolicy"
    ]


@pytest.mark.parametrize(
    ("path", "reply", "text", "command"),
    [
        (CLAIM, refusal(404, "not found"), "has no claim palio-jobs", "kubectl -n palio-jobs apply -f claim.yaml"),
        (
            CLAIM,
            Reply(content={"status": {"phase": "Pending"}}),
            "no default storage class",
            "kubectl get storageclass",
        ),
        ("/version", Reply(content={"gitVersion": "v1.18.0"}), "needs at least 1.20", "Upgrade the cluster"),
        ("/version", refusal(401, "Unauthorized"), "a token may have expired", "kubectl get namespaces"),
        (
            "/apis/batch/v1/namespaces/palio-jobs/jobs",
            refusal(404, 'namespaces "palio-jobs" not found'),
            "the namespace palio-jobs does not exist",
            "kubectl create namespace palio-jobs",
        ),
    ],
)
def test_cluster_that_cannot(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    reply: Reply,
    text: str,
    command: str,
) -> None:
    with serving(lambda asked: reply if asked.path == path else answer(asked)) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        assert main(["doctor", "--engine", "kubernetes", "--json"]) == 12
    found = finding(capsys)
    assert (found["subject"], found["fine"]) == ("kubernetes", False)
    assert text in str(found["text"])
    assert command in str(found["next_step"])


def test_run_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PALIO_KUBERNETES_FOLDER")
    assert main(["doctor", "--engine", "kubernetes", "--json"]) == 12
    assert "export PALIO_KUBERNETES_FOLDER" in str(finding(capsys)["next_step"])


def test_folder_has_to_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(answer) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        monkeypatch.setenv("PALIO_KUBERNETES_FOLDER", str(tmp_path / "nowhere"))
        assert main(["doctor", "--engine", "kubernetes", "--json"]) == 12
    assert "nowhere is not a folder that Palio may write to" in str(finding(capsys)["text"])
