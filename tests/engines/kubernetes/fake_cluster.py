"""A server on this machine that keeps objects as the API does, without running anything, and an engine that uses it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.kubernetes.fake_api import Asked, FakeApi, Reply, refusal, serving

from palio.core.engine import Job, JobResult, Limits
from palio.core.quantities import MIB
from palio.engines.docker import ImageConfig
from palio.engines.kubernetes.engine import KubernetesEngine
from palio.engines.kubernetes.images import Images
from palio.engines.kubernetes.settings import Settings
from palio.engines.kubernetes.watching import LOOK_S

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
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with serving(server) as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path)))
        engine = KubernetesEngine(Settings(tmp_path / "shared"), images=NoImages(""), look_s=look_s)
        engine._settings = replace(engine._settings, gate_image=gate_image)  # without an experiment
        try:
            yield engine, fake
        finally:
            for watched in engine._watched.values():
                watched.close()


def ended(engine: KubernetesEngine, job: Job) -> JobResult:
    return once_ended(lambda: engine.poll(job))


def once_ended(poll: Callable[[], JobResult | None]) -> JobResult:
    """The result, once the watch has noticed that the server has no watches."""
    deadline = time.monotonic() + 5
    while (result := poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


def set_keeper(server: Server, job: Job, **state: Any) -> None:
    status = server.objects[f"{PODS}/{job.name}-x"]["status"]
    status["phase"] = "Running" if "running" in state else "Succeeded"
    status["containerStatuses"] = [each for each in status["containerStatuses"] if each["name"] == "job"]
    status["containerStatuses"].append({"name": "keeper", "state": state})


def tell_space(folder: Path, used_bytes: int, **used: float) -> None:
    blocks = {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1000, "f_bfree": 1000 - used_bytes // 4096}
    others = dict.fromkeys(("f_bavail", "f_files", "f_ffree", "f_favail", "f_flag", "f_namemax"), 0)
    (folder / "space.json").write_text(json.dumps(blocks | others | {"f_files": 100, "f_ffree": 99, "usage": used}))
