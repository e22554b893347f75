"""Builds and runs a challenge's training image in the same sandbox as submissions."""

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.verdicts import raise_if_build_failed
from palio.core.engine import Build, BuildLimits, End, Engine, Job, JobResult, Limits, Mount
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile
from palio.core.files.staging import staged
from palio.core.files.tree import copy_tree, digest_tree
from palio.core.quantities import duration_text, size_text

TRAINING_CODE = "docker_code_training"
MODEL_OUTPUT = "model_output"


@dataclass(frozen=True)
class Training:
    """A training run: `data` is mounted at /mnt/in, and the output in /mnt/out becomes `target`."""

    identity: str
    code: Path  # a folder with a Dockerfile
    data: Path
    target: Path
    work: Path  # for logs and staging; the caller removes it
    build_limits: BuildLimits
    limits: Limits

    def build(self) -> Build:
        """Copies the code first, so that it cannot change between digest and build."""
        context = self.work / "context"
        try:
            copy_tree(self.code, context, executable=True)
        except UnfitFile as fault:
            raise PalioError("folder-unreadable", path=self.code, reason=fault) from fault
        return Build(
            name=f"palio-{self.identity}-train-image",
            digest=digest_tree(context),
            context=context,
            limits=self.build_limits,
            log=self.work / "build.log",
        )

    def job(self, image: str) -> Job:
        return Job(
            name=f"palio-{self.identity}-train",
            image=image,
            limits=self.limits,
            log=self.work / "train.log",
            mounts=(Mount(self.data, "/mnt/in"),),
            output="/mnt/out",
            environment={"PALIO_INPUT": "/mnt/in"},
        )


def train(training: Training, engine: Engine) -> Generator[Path, None, JobResult]:
    """Trains the model; yields the current log repeatedly while waiting. `target` only changes on success.

    Raises PalioError "build-failed" and similar, "training-failed" or "training-stopped".
    """
    engine.check(training.limits)
    build = training.build()
    try:
        result = yield from _run(build, engine)
        raise_if_build_failed(result, build)
        job = training.job(result.image or "")
    finally:
        engine.remove(build)
    try:
        result = yield from _run(job, engine)
        _raise_if_failed(result, training)
        collected = training.work / "out"
        engine.collect(job, collected)
    finally:
        engine.remove(job)
    with staged(training.target) as (fresh,):
        shutil.copytree(collected, fresh)
    return result


def _run(work: Job | Build, engine: Engine) -> Generator[Path, None, JobResult]:
    engine.start(work)
    yield work.log  # even a job that ends at once has written a log
    while (result := engine.poll(work)) is None:
        yield work.log
    return result


def _raise_if_failed(result: JobResult, training: Training) -> None:
    if result.succeeded:
        return
    if result.end is End.EXITED:
        raise PalioError("training-failed", exit_code=result.exit_code, target=training.target)
    limits = {
        End.TIME: duration_text(training.limits.time_s),
        End.MEMORY: size_text(training.limits.memory_bytes),
        End.OUTPUT_SIZE: size_text(training.limits.output_bytes),
        End.OUTPUT_FILES: f"{training.limits.output_files:,}",
        End.NOT_STARTED: result.detail,
    }
    raise PalioError("training-stopped", reason=f"{result.end}, {limits[result.end]}", target=training.target)
