import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from palio.core.engine import End, Job, JobResult
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.kubernetes import experiment
from palio.engines.kubernetes.experiment import Enforced, find_enforced, node_kinds
from palio.engines.kubernetes.settings import Settings

NOW = datetime.now(UTC)
EXITED = JobResult(End.EXITED, 0, NOW, NOW)
LIMITED = {"processes": 16, "sizes": {"/dev/shm": 2 * MIB, "/mnt/out": MIB + 65536}}
ALL = Enforced(processes=True, shared_memory=True, output=True)


def node(name: str, kubelet: str = "v1.34.2", **spec: Any) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": kubelet}}
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "status": status, "spec": spec}


class Nodes:
    """Runs the job by printing what that node is told to print."""

    def __init__(self, **prints: Any) -> None:
        self.prints, self.ran = prints, list[str]()

    def __call__(self, job: Job, name: str) -> JobResult | None:
        self.ran.append(name)
        job.log.write_text(json.dumps(self.prints[name]))
        return EXITED


def find(tmp_path: Path, run: Any, *nodes: dict[str, Any]) -> Enforced:
    return find_enforced(tmp_path, ["palio-jobs", ""], nodes, "palio:1", run)


def test_one_node_of_each_kind_is_tried(tmp_path: Path) -> None:
    run = Nodes(a=LIMITED, b=LIMITED)
    assert find(tmp_path, run, node("a"), node("again"), node("b", "v1.35.0")) == ALL
    assert run.ran == ["a", "b"]


def test_only_what_all_kinds_enforce_counts(tmp_path: Path) -> None:
    run = Nodes(a=LIMITED, b={"processes": 65, "sizes": {"/dev/shm": 1 << 33, "/mnt/out": MIB}})
    assert find(tmp_path, run, node("a"), node("b", "v1.20.2")) == Enforced(output=True)


def test_result_is_kept_until_it_expires_or_the_nodes_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Nodes(a=LIMITED, b=LIMITED)
    for _ in range(2):
        assert find(tmp_path, run, node("a")) == ALL
    assert run.ran == ["a"]
    find(tmp_path, run, node("b", "v1.35.0"))
    assert run.ran == ["a", "b"]
    monkeypatch.setattr(experiment, "FRESH_S", -1.0)
    find(tmp_path, run, node("b", "v1.35.0"))
    assert run.ran == ["a", "b", "b"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": 1}', "\x00"])
def test_unreadable_result_is_found_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "palio-limits.json").write_text(content)
    assert find(tmp_path, Nodes(a=LIMITED), node("a")) == ALL


def test_node_that_is_not_for_jobs_is_not_tried() -> None:
    tainted = node("tainted", taints=[{"key": "gpu", "effect": "NoSchedule"}])
    lost = node("lost")
    lost["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    assert list(node_kinds([tainted, lost, node("cordoned", unschedulable=True), node("a")]).values()) == ["a"]


def test_only_the_nodes_of_the_settings_are_tried(tmp_path: Path) -> None:
    """And each choice of nodes has a result of its own, so that two do not replace each other's."""
    gpu = node("gpu", taints=[{"key": "pool", "value": "gpu", "effect": "NoSchedule"}])
    gpu["metadata"]["labels"]["pool"] = "gpu"
    run, nodes = Nodes(a=LIMITED, gpu=LIMITED | {"processes": 64}), [gpu, node("a")]
    chosen = Settings(tmp_path, node_selector="pool=gpu", tolerations="pool=gpu:NoSchedule")
    for _ in range(2):
        assert find(tmp_path, run, *nodes) == ALL
        assert find_enforced(tmp_path, ["palio-jobs", ""], nodes, "palio:1", run, settings=chosen) != ALL
    assert run.ran == ["a", "gpu"]
    assert node_kinds(nodes, replace(chosen, tolerations="pool=cpu")) == {}
    assert list(node_kinds(nodes, replace(chosen, tolerations="pool")).values()) == ["gpu"]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (lambda *_: None, "did not end within 120 s"),
        (lambda *_: replace(EXITED, end=End.NOT_STARTED, detail="no python3"), "ended otherwise: no python3"),
    ],
)
def test_job_that_tells_nothing_proves_nothing(tmp_path: Path, run: Any, reason: str) -> None:
    found = find(tmp_path, run, node("a"))
    assert replace(found, fault="") == Enforced()
    assert reason in found.fault
    assert not (tmp_path / "palio-limits.json").exists()


def test_job_that_the_cluster_refuses_proves_nothing(tmp_path: Path) -> None:
    def run(*_: object) -> None:
        raise PalioError("cluster-job-blocked", job="x", reason="a quota of zero", next_step="Raise it.")

    assert "a quota of zero" in find(tmp_path, run, node("a")).fault
    assert find(tmp_path, run).fault == "no node is ready to run jobs"


def test_jobs_of_killed_processes_are_removed_before_the_next_experiment(tmp_path: Path) -> None:
    """Not those of other nodes, whose experiments have locks of their own, and none if nothing is tried."""
    removed: list[str] = []

    def find_here(settings: Settings | None) -> None:
        key = ["palio-jobs", ""]
        find_enforced(tmp_path, key, [node("a")], "palio:1", run, settings=settings, remove_earlier=removed.append)

    run = Nodes(a=LIMITED)
    for settings in (None, None, Settings(tmp_path, node_selector="kubernetes.io/hostname=a")):
        find_here(settings)
    assert len(set(removed)) == 2 == len(removed)
    assert all(each.startswith("palio-limits-") for each in removed)
    assert not removed[0].startswith(removed[1])
