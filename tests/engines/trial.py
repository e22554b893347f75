"""An engine to try, with what tests on every engine need. Programs are given to jobs through a mount, so that one image
serves nearly all of them.
"""

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from palio.core.engine import (
    Build,
    BuildLimits,
    Collected,
    Engine,
    Job,
    JobResult,
    Limits,
    Mount,
)
from palio.core.files.tree import digest_tree
from palio.core.quantities import GIB, MIB

BASE = "python:3.11-slim"
DOCKERFILE = f'FROM {BASE}\nWORKDIR /app\nENV FROM_IMAGE=yes\nCMD ["python", "/mnt/in/program.py"]\n'
LIMITS = Limits(time_s=30, memory_bytes=256 * MIB, cpus=1, pids=64, shm_bytes=16 * MIB)
BUILD_LIMITS = BuildLimits(time_s=120, memory_bytes=2 * GIB, size_bytes=20 * GIB, network=False)
SLACK_S = 2.0  # within which whatever is ended has to be gone
CLUSTER_SLACK_S = 12.0  # in a cluster: pods start in seconds, and kubelet 1.20 does not tell when a container stopped


@dataclass
class Trial:
    """An engine, a folder to prepare things in, and what has to be removed afterwards."""

    engine: Engine
    another: Callable[[], Engine]  # an engine object that knows nothing of the first, as in a new process
    folder: Path
    works: list[Job | Build] = field(default_factory=list)

    @property
    def slack_s(self) -> float:
        return CLUSTER_SLACK_S if self.engine.name == "kubernetes" else SLACK_S

    def build(self, dockerfile: str = DOCKERFILE, **files: str) -> tuple[Build, JobResult]:
        name = f"palio-test-{uuid4().hex[:12]}"
        context = self.folder / name
        context.mkdir()
        for path, text in {"Dockerfile": dockerfile, **files}.items():
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            (context / path).write_text(text)
        return self.build_from(context)

    def build_from(self, context: Path, **fields: Any) -> tuple[Build, JobResult]:
        name = f"palio-test-{uuid4().hex[:12]}"
        work = Build(name, digest_tree(context), context, BUILD_LIMITS, self.folder / f"{name}.log")
        work = replace(work, **fields)
        return work, self.wait(work)

    def image(self, dockerfile: str = DOCKERFILE, **files: str) -> str:
        work, result = self.build(dockerfile, **files)
        assert result.succeeded, work.log.read_text()
        assert result.image
        return result.image

    def job(self, program: str = "", *, image: str | None = None, **fields: Any) -> Job:
        name = f"palio-test-{uuid4().hex[:12]}"
        inputs = self.folder / name
        inputs.mkdir()
        inputs.chmod(0o755)
        (inputs / "program.py").write_text(textwrap.dedent(program))
        (inputs / "program.py").chmod(0o644)
        limits = replace(LIMITS, **{key: fields.pop(key) for key in list(fields) if hasattr(LIMITS, key)})
        return Job(
            name=name,
            image=image or self.image(),
            limits=limits,
            log=self.folder / f"{name}.log",
            output="/mnt/out",
            mounts=(Mount(inputs, "/mnt/in"),),
            **fields,
        )

    def start(self, work: Job | Build) -> None:
        self.works.append(work)
        self.engine.start(work)

    def wait(self, work: Job | Build, engine: Engine | None = None) -> JobResult:
        if engine is None:
            engine = self.engine
            self.start(work)
        deadline = time.monotonic() + 60
        while (result := engine.poll(work)) is None:
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)
        return result

    def run(self, program: str = "", **fields: Any) -> tuple[JobResult, str]:
        job = self.job(program, **fields)
        result = self.wait(job)
        return result, job.log.read_text()

    def collect(self, program: str, **fields: Any) -> tuple[Collected, Path]:
        job = self.job(program, **fields)
        assert self.wait(job).succeeded, job.log.read_text()
        destination = self.folder / f"{job.name}-collected"
        return self.engine.collect(job, destination), destination


def bubblewrap(folder: Path) -> Engine:
    from palio.engines.bubblewrap import BubblewrapEngine

    return BubblewrapEngine(folder)


def bubblewrap_watching(folder: Path) -> Engine:
    """As for an ordinary user who may not make cgroups."""
    from palio.engines.bubblewrap import BubblewrapEngine

    return BubblewrapEngine(folder, use_cgroups=False)


def docker(folder: Path) -> Engine:
    from palio.engines.docker import DockerEngine

    return DockerEngine()


def kubernetes(folder: Path) -> Engine:
    """In the cluster that the variables of docs/kubernetes.md name."""
    from palio.engines.kubernetes.engine import KubernetesEngine

    return KubernetesEngine()
