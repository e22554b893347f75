"""An attempt and the builds and jobs it runs. Their names are derived from the attempt only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from palio.core.attempt.code import CodeRun
from palio.core.attempt.run_folder import RunFolder, Stage
from palio.core.bundle.model import Bundle, Phase, SubmissionKind, Task
from palio.core.engine import Build, Job, Load, Mount, Work
from palio.core.files.tree import digest_tree, entries_as_is
from palio.core.quantities import KIB, MIB
from palio.core.submission.kinds import SubmissionFile
from palio.core.submission.reference import Reference

INPUT, OUTPUT = "/mnt/in", "/mnt/out"
PROGRAM, REFERENCE, RESULTS, SCORES = "/app/program", "/app/input/ref", "/app/input/res", "/app/output"
SUBMITTED, INPUT_DATA, SHARED, APP = "/app/ingested_program", "/app/input_data", "/app/shared", "/app"
MOST_COPIED_BYTES = 64 * MIB  # of a folder that a job gets as a copy in memory; larger ones are read-only
_PAGE_BYTES = 64 * KIB  # the largest page size in Linux
_MOUNT_POINTS = 16  # folders in an output, at most, where others are mounted
METADATA = "metadata"  # in the predictions, for scoring programs: exit code and time
SAMPLE_SCORE, SCORE_IMAGE, MONAI_CHECK = "sample-score", "score-image", "monai-check"
_CHECK_TIME_S = 120.0  # within the margin of the stage `build`


@dataclass(frozen=True)
class Attempt:
    """One evaluation of a submission. `identity` is unique on the engine and names the attempt's jobs."""

    identity: str
    submission: SubmissionFile
    bundle: Bundle
    phase: Phase
    task: Task
    label: str
    part: str = ""  # at the end of all names, where the phase has several tasks: `-` and the task's index
    version: int | None = None  # of the challenge, on a platform
    rescored: str = ""  # the attempt whose predictions are re-scored
    scoring_environment: Mapping[str, str] = field(default_factory=dict)  # for experiments; otherwise empty

    def job_name(self, stage: Stage | str) -> str:
        return f"palio-{self.identity}-{stage}{self.part}"

    def tasks(self) -> "list[Attempt]":
        """The attempt at each task of its phase."""
        if len(self.phase.tasks) == 1:
            return [self]
        return [replace(self, task=task, part=f"-{task.index}") for task in self.phase.tasks]

    def predictions(self, folder: RunFolder) -> Path:
        return folder.predictions / str(self.task.index) if self.part else folder.predictions

    def scores(self, folder: RunFolder) -> Path:
        return folder.scores / str(self.task.index) if self.part else folder.scores

    def log(self, folder: RunFolder, stage: Stage) -> Path:
        return folder.root / f"{stage}{self.part}.log" if self.part else folder.log(stage)

    def load(self, folder: RunFolder) -> Load:
        """Loads the saved image."""
        return Load(
            name=self.job_name(Stage.BUILD),
            digest=self.submission.digest,
            archive=self.submission.path,
            limits=self.phase.rules.build,
            log=folder.log(Stage.BUILD),
        )

    def pull(self, folder: RunFolder, reference: Reference) -> Load:
        """Pulls the image that the submission refers to, then loads it."""
        return Load(
            name=self.job_name(Stage.BUILD),
            digest=reference.manifest.removeprefix("sha256:"),
            archive=folder.work / "pulled.tar",
            limits=self.phase.rules.build,
            log=folder.log(Stage.BUILD),
            pull=reference.pull(),
        )

    def build(self, folder: RunFolder, context: Path) -> Build:
        return Build(
            name=self.job_name(Stage.BUILD),
            digest=digest_tree(context),
            context=context,
            limits=self.phase.rules.build,
            log=folder.log(Stage.BUILD),
        )

    def monai_check_job(self, folder: RunFolder, *, image: str, command: tuple[str, ...]) -> Job:
        """Looks for the packages that a MONAI bundle needs. Nothing of the bundle runs in it."""
        job = self._named(folder, MONAI_CHECK)
        limits = replace(job.limits, time_s=min(job.limits.time_s, _CHECK_TIME_S), gpus=0)
        return replace(job, image=image, command=command, limits=limits)

    def submission_job(self, folder: RunFolder, stage: Stage, *, image: str, inputs: Path) -> Job:
        """Runs the submission on `inputs` in the stage `sample` or `predict`."""
        return Job(
            name=self.job_name(stage),
            image=image,
            limits=self.phase.rules.predict,
            log=self.log(folder, stage),
            mounts=(Mount(inputs, INPUT),),
            output=OUTPUT,
            environment={"PALIO_INPUT": INPUT},
        )

    def code_image(self, folder: RunFolder, context: Path) -> Build:
        """The image in which code runs: the ingestion program's, or the one that the bundle names."""
        return self._program_image(Stage.BUILD, folder.root / f"code-image{self.part}.log", context)

    def code_job(self, folder: RunFolder, stage: Stage, *, image: str, run: CodeRun, inputs: Path | None) -> Job:
        """Runs a code submission in the layout of Codabench's prediction step.

        An ingestion program that the task wants beside the scoring program has the layout of Codabench's scoring step,
        without the reference data. It may write to several folders of /app, so /app is its output.
        """
        mounts: list[Mount] = [Mount(run.submitted, PROGRAM)]
        copies: list[Mount] = []
        if run.ingestion:
            copies, mounts = _copied(run.ingestion, PROGRAM)
            mounts.append(Mount(run.submitted, SUBMITTED))
        if run.before_scoring:
            copies += [Mount(_empty(folder), SCORES), Mount(_empty(folder), SHARED), Mount(_empty(folder), RESULTS)]
            copies += _copied(run.submitted, RESULTS)[0]
        elif run.is_in_output:
            copies += _copied(run.submitted, SCORES)[0]
        if inputs:
            mounts.append(Mount(inputs, INPUT_DATA))
            if run.ingestion is None:  # where a program of CodaLab 1.5 finds its `$input`
                mounts.append(Mount(inputs, "/app/input"))
        job = Job(
            name=self.job_name(stage),
            image=image,
            limits=self.phase.rules.predict,
            log=self.log(folder, stage),
            mounts=tuple(mounts),
            copies=tuple(copies),
            output=APP if run.before_scoring else SCORES,
            command=run.command,
            workdir=PROGRAM,
            environment={"PALIO_INPUT": INPUT_DATA, "PALIO_OUTPUT": SCORES},
        )
        return with_room_for_copies(job)

    def scoring_image(self, folder: RunFolder, context: Path) -> Build:
        return self._program_image(SCORE_IMAGE, self.log(folder, Stage.SCORE), context)

    def _program_image(self, name: str, log: Path, context: Path) -> Build:
        return Build(self.job_name(name), digest_tree(context), context, self.phase.rules.build, log)

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
        more: Sequence[Mount] = (),
    ) -> Job:
        """Runs the scoring program on `results` in the stage `sample` or `score`. `more` are copies that it gets."""
        is_sample = stage is Stage.SAMPLE
        copies, mounts = _copied(program, PROGRAM)
        job = Job(
            name=self.job_name(SAMPLE_SCORE if is_sample else Stage.SCORE),
            image=image,
            limits=self.phase.rules.score,
            log=folder.sample / "score.log" if is_sample else self.log(folder, Stage.SCORE),
            mounts=(*mounts, Mount(reference, REFERENCE), Mount(results, RESULTS)),
            copies=(*copies, *more),
            output=SCORES,
            command=command,
            workdir=PROGRAM if command else "/app",  # the image's own command finds `input` and `output` there
            environment={"PALIO_INPUT": "/app/input", **self.scoring_environment},
        )
        return with_room_for_copies(job)

    def all_work(self, folder: RunFolder) -> Iterator[Work]:
        """Yields all work that an earlier process may have started, in order, so that it can be removed by name."""
        limits = self.phase.rules.build
        if self.submission.kind in (SubmissionKind.IMAGE, SubmissionKind.REFERENCE):
            yield self.load(folder)
        else:
            yield Build(self.job_name(Stage.BUILD), "", folder.work, limits, folder.log(Stage.BUILD))
        if self.submission.kind is SubmissionKind.MONAI:
            yield self._named(folder, MONAI_CHECK)
        for attempt in self.tasks():
            if attempt.part:
                yield Build(attempt.job_name(Stage.BUILD), "", folder.work, limits, folder.log(Stage.BUILD))
            yield attempt._named(folder, Stage.SAMPLE)
            yield Build(attempt.job_name(SCORE_IMAGE), "", folder.work, limits, folder.log(Stage.SCORE))
            for name in (SAMPLE_SCORE, Stage.PREDICT, Stage.SCORE):
                yield attempt._named(folder, name)

    def _named(self, folder: RunFolder, name: str) -> Job:
        return Job(self.job_name(name), "", self.phase.rules.predict, folder.root / f"{name}.log", OUTPUT)


def with_room_for_copies(job: Job) -> Job:
    """The job with limits on its output that do not count what the output starts with."""
    entries = [entry for copy in job.output_copies for entry in entries_as_is(copy.source)]
    if not job.output_copies:
        return job
    # Files take whole pages of the output's file system.
    size_bytes = sum(-(-entry.path.lstat().st_size // _PAGE_BYTES) * _PAGE_BYTES for entry in entries)
    files = job.limits.output_files + len(entries) + _MOUNT_POINTS
    limits = replace(job.limits, output_bytes=job.limits.output_bytes + size_bytes, output_files=files)
    return replace(job, limits=limits)


def _copied(folder: Path, target: str) -> tuple[list[Mount], list[Mount]]:
    """The folder among the copies or, if it is large, among the mounts of a job. Returns both."""
    size_bytes = sum(entry.path.lstat().st_size for entry in entries_as_is(folder))
    mount = [Mount(folder, target)]
    return (mount, []) if size_bytes <= MOST_COPIED_BYTES else ([], mount)


def _empty(folder: RunFolder) -> Path:
    """An empty folder, as the source of copies."""
    empty = folder.work / "empty"
    empty.mkdir(exist_ok=True)
    return empty
