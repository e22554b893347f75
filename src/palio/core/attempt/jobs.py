"""An attempt and what it runs: its builds and jobs, each with a name that follows from the attempt alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.run_folder import RunFolder, Stage
from palio.core.bundle.model import Bundle, Phase, SubmissionKind, Task
from palio.core.engine import Build, Job, Load, Mount, Work
from palio.core.files.tree import digest_tree
from palio.core.submission.kinds import SubmissionFile

INPUT, OUTPUT = "/mnt/in", "/mnt/out"
PROGRAM, REFERENCE, RESULTS, SCORES = "/app/program", "/app/input/ref", "/app/input/res", "/app/output"
SAMPLE_SCORE, SCORE_IMAGE = "sample-score", "score-image"


@dataclass(frozen=True)
class Attempt:
    """One pass of a submission through the stages. `identity` names its jobs and is unique on the engine."""

    identity: str
    submission: SubmissionFile
    bundle: Bundle
    phase: Phase
    task: Task
    label: str

    def job_name(self, stage: Stage | str) -> str:
        return f"palio-{self.identity}-{stage}"

    def load(self, folder: RunFolder) -> Load:
        return Load(
            name=self.job_name(Stage.BUILD),
            digest=self.submission.digest,
            archive=self.submission.path,
            limits=self.phase.rules.build,
            log=folder.log(Stage.BUILD),
        )

    def build(self, folder: RunFolder, context: Path) -> Build:
        return Build(
            name=self.job_name(Stage.BUILD),
            digest=digest_tree(context),
            context=context,
            limits=self.phase.rules.build,
            log=folder.log(Stage.BUILD),
        )

    def submission_job(self, folder: RunFolder, stage: Stage, *, image: str, inputs: Path) -> Job:
        """The submission's own program, on `inputs`; `stage` is `sample` or `predict`."""
        return Job(
            name=self.job_name(stage),
            image=image,
            limits=self.phase.rules.predict,
            log=folder.log(stage),
            mounts=(Mount(inputs, INPUT),),
            output=OUTPUT,
            environment={"PALIO_INPUT": INPUT},
        )

    def scoring_image(self, folder: RunFolder, context: Path) -> Build:
        return Build(
            name=self.job_name(SCORE_IMAGE),
            digest=digest_tree(context),
            context=context,
            limits=self.phase.rules.build,
            log=folder.log(Stage.SCORE),
        )

    def scoring_job(
        self,
        folder: RunFolder,
        stage: Stage,
        *,
        image: str,
        command: tuple[str, ...] | None,
        program: Path,
        reference: Path,
        results: Path,
    ) -> Job:
        """The scoring program, on `results`; `stage` is `sample` or `score`."""
        is_sample = stage is Stage.SAMPLE
        return Job(
            name=self.job_name(SAMPLE_SCORE if is_sample else Stage.SCORE),
            image=image,
            limits=self.phase.rules.score,
            log=folder.sample / "score.log" if is_sample else folder.log(Stage.SCORE),
            mounts=(Mount(program, PROGRAM), Mount(reference, REFERENCE), Mount(results, RESULTS)),
            output=SCORES,
            command=command,
            workdir=PROGRAM if command else "/app",  # an image's own command finds `input` and `output` there
            environment={"PALIO_INPUT": "/app/input"},
        )

    def everything(self, folder: RunFolder) -> Iterator[Work]:
        """Whatever a process may have started that is not here any more, in its order; for removal, which goes by
        names."""
        limits = self.phase.rules.build
        if self.submission.kind is SubmissionKind.IMAGE:
            yield self.load(folder)
        else:
            yield Build(self.job_name(Stage.BUILD), "", folder.work, limits, folder.log(Stage.BUILD))
        yield self._named(folder, Stage.SAMPLE)
        yield Build(self.job_name(SCORE_IMAGE), "", folder.work, limits, folder.log(Stage.SCORE))
        for name in (SAMPLE_SCORE, Stage.PREDICT, Stage.SCORE):
            yield self._named(folder, name)

    def _named(self, folder: RunFolder, name: str) -> Job:
        return Job(self.job_name(name), "", self.phase.rules.predict, folder.root / f"{name}.log", OUTPUT)
