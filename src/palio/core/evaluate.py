"""The one story of an evaluation: build, sample, predict, collect, score. Nothing else knows it.

`Evaluation.step()` advances an attempt by one move and returns at once, so that a command line can step one in a loop
and a server many. Job names derive from the attempt and the stage, and starting a job that exists is a no-op, so that
whoever steps it next can find them. Not covered yet: taking up an attempt in a new process from its run folder; the
names that its hidden inputs were given are kept in this process alone.
"""

import shutil
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core import verdicts
from palio.core.archive import unpack
from palio.core.blind import restore_names, stage_inputs
from palio.core.bundle.model import Bundle, Phase, SubmissionKind, Task
from palio.core.bundle.program import read_program, with_container_paths
from palio.core.digest import IGNORED_NAMES, digest_folder
from palio.core.errors import PalioError
from palio.core.job import Build, Engine, Job, JobResult, Load, Mount, Work
from palio.core.lock import lock
from palio.core.receipt.statement import write_receipt
from palio.core.run_folder import Result, RunFolder, Stage, StageRecord, Verdict
from palio.core.scores import read_scores
from palio.core.staging import writing
from palio.core.submission import Submission, unpack_results

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

INPUT, OUTPUT = "/mnt/in", "/mnt/out"
PROGRAM, REFERENCE, RESULTS, SCORES = "/app/program", "/app/input/ref", "/app/input/res", "/app/output"
REPORT = "detailed_results.html"
_POLL_S = 0.02


@dataclass(frozen=True)
class Attempt:
    """One pass of a submission through the stages. `identity` names its jobs and is unique on the engine."""

    identity: str
    submission: Submission
    bundle: Bundle
    phase: Phase
    task: Task
    label: str

    def job_name(self, stage: Stage | str) -> str:
        return f"palio-{self.identity}-{stage}"


class Evaluation:
    """An attempt on its way. `result` grows with each step; `stage` is where it is."""

    def __init__(
        self,
        attempt: Attempt,
        engine: Engine,
        folder: RunFolder,
        *,
        key: "Ed25519PrivateKey | None" = None,
        any_kind: bool = False,
        collected: Path | None = None,
    ) -> None:
        """With `key`, the end of the attempt is signed with it: its receipt.

        With `any_kind`, kinds of submission are evaluated that the phase would not take from a participant. With
        `collected`, predictions that another attempt left there are scored, and nothing else is done.
        """
        self.attempt = attempt
        self._key = key
        self._any_kind = any_kind
        self._collected = collected
        self.folder = folder
        self.stage = Stage.BUILD
        self.result = Result(started=datetime.now(UTC), stages={})
        self._engine = engine
        self._started: list[Work] = []
        self._story = self._tell()

    def step(self) -> bool:
        """One move; False once the attempt has ended and `result` has its verdict."""
        return next(self._story, None) is not None

    def finish(self) -> Result:
        """Steps to the end, for who has nothing else to do; an interruption cancels it."""
        try:
            while self.step():
                time.sleep(_POLL_S)
        finally:
            self.cancel()  # does nothing once it has ended
        return self.result

    def cancel(self) -> None:
        """Stops what runs, removes it, and ends the attempt as cancelled."""
        if self.result.verdict is None:
            self._story.close()
            with suppress(OSError):
                self._end(Verdict.CANCELLED)

    # -- the story

    def _tell(self) -> Generator[Stage, None, None]:
        try:
            with writing(self.folder.root):
                yield from self._stages()
                self._end(Verdict.SCORED)
        except PalioError as error:
            self.result.failure, self.result.scores = error.failure, None
            with suppress(OSError):  # the disk may be full, which is then the failure, and `result` has it
                self._end(Verdict.FAILED)
        finally:
            self._clean_up()

    def _stages(self) -> Generator[Stage, None, None]:
        attempt = self.attempt
        self._ask()
        self._lock()
        if not self._any_kind:
            verdicts.refuse_unfit(attempt.submission, attempt.phase, self._engine.name)
        self._engine.check(attempt.phase.rules.score)
        if self._collected is not None:
            shutil.copytree(self._collected, self.folder.predictions, copy_function=shutil.copyfile)
        elif attempt.submission.kind is SubmissionKind.RESULTS:
            unpack_results(attempt.submission, self.folder.predictions, attempt.phase.rules.predict.output_bytes)
            self._write_metadata(self.folder.predictions, exit_code=0, wall_s=0)
        else:
            self._engine.check(attempt.phase.rules.predict)
            image = yield from self._image()
            yield from self._sample(image)
            yield from self._predict(image)
        yield from self._score()

    def _image(self) -> Generator[Stage, None, str]:
        self.stage = Stage.BUILD
        is_saved = self.attempt.submission.kind is SubmissionKind.IMAGE
        return (yield from self._load() if is_saved else self._build())

    def _load(self) -> Generator[Stage, None, str]:
        verdicts.refuse_unloadable(self._engine)
        submission = self.attempt.submission
        load = Load(
            name=self.attempt.job_name(Stage.BUILD),
            digest=submission.digest,
            archive=submission.path,
            limits=self.attempt.phase.rules.build,
            log=self.folder.log(Stage.BUILD),
        )
        result = yield from self._run(load)
        verdicts.raise_if_load_failed(result, load)
        return result.image or ""

    def _build(self) -> Generator[Stage, None, str]:
        context, limits = self.folder.work / "context", self.attempt.phase.rules.build
        unpack(self.attempt.submission.path, context, max_bytes=limits.size_bytes)
        build = Build(
            name=self.attempt.job_name(Stage.BUILD),
            digest=digest_folder(context),
            context=context,
            limits=limits,
            log=self.folder.log(Stage.BUILD),
        )
        result = yield from self._run(build)
        verdicts.raise_if_build_failed(result, build)
        return result.image or ""

    def _sample(self, image: str) -> Generator[Stage, None, None]:
        """Public cases first: what fails here has touched no hidden data."""
        policy = self.attempt.phase.rules.sample
        if policy is None:
            return
        self.stage = Stage.SAMPLE
        predictions = self.folder.sample / "predictions"
        try:
            yield from self._run_submission(image, self._unzipped("palio.sample.input", policy.input), predictions)
            if policy.expect:
                expected = self._copied("expected", self._unzipped("palio.sample.expect", policy.expect))
                yield from self._run_scoring(expected, predictions, self.folder.sample / "scores")
        except PalioError as error:
            error.happened_on_sample()
            raise

    def _predict(self, image: str) -> Generator[Stage, None, None]:
        self.stage = Stage.PREDICT
        inputs = self._unzipped("input_data", self.attempt.task.input_data)
        yield from self._run_submission(image, inputs, self.folder.predictions)

    def _score(self) -> Generator[Stage, None, None]:
        self.stage = Stage.SCORE
        reference = self._copied("ref", self._unzipped("reference_data", self.attempt.task.reference_data))
        yield from self._run_scoring(reference, self.folder.predictions, self.folder.scores)
        if (report := self.folder.scores / REPORT).is_file():
            shutil.copyfile(report, self.folder.report)
        self.result.scores = read_scores(self.folder.scores, self.attempt.bundle.leaderboard.columns)

    # -- its parts

    def _run_submission(self, image: str, inputs: Path, target: Path) -> Generator[Stage, None, None]:
        """Runs the submission's image on `inputs`, and collects its answers, with real names, into `target`."""
        rules = self.attempt.phase.rules
        staged = self.folder.work / f"{self.stage}-in"
        names = stage_inputs(inputs, staged, rules.blind)
        job = Job(
            name=self.attempt.job_name(self.stage),
            image=image,
            limits=rules.predict,
            log=self.folder.log(self.stage),
            mounts=(Mount(staged, INPUT),),
            output=OUTPUT,
            environment={"PALIO_INPUT": INPUT},
        )
        result = yield from self._run(job)
        verdicts.raise_if_predict_failed(result, job)
        verdicts.raise_if_output_unfit(self._engine.collect(job, target), job)
        for restore in rules.blind.restore if rules.blind else ():
            restore_names(target, restore, names)
        self._write_metadata(target, exit_code=result.exit_code, wall_s=result.wall_s)

    def _write_metadata(self, target: Path, *, exit_code: int | None, wall_s: float) -> None:
        """What older scoring programs read; written last, so that it is the platform's word and not a submission's."""
        text = f"exitCode: {exit_code}\nelapsedTime: {wall_s:.3f}\n"
        (target / "metadata").write_text(text)

    def _run_scoring(self, reference: Path, results: Path, target: Path) -> Generator[Stage, None, None]:
        """Runs the scoring program on `results`, and collects what it wrote into `target`."""
        program = self._copied("program", self._unzipped("scoring_program", self.attempt.task.scoring_program))
        command = read_program(program).command
        image = yield from self._scoring_image(program)
        is_sample = self.stage is Stage.SAMPLE
        job = Job(
            name=self.attempt.job_name("sample-score" if is_sample else Stage.SCORE),
            image=image,
            limits=self.attempt.phase.rules.score,
            log=self.folder.sample / "score.log" if is_sample else self.folder.log(Stage.SCORE),
            mounts=(Mount(program, PROGRAM), Mount(reference, REFERENCE), Mount(results, RESULTS)),
            output=SCORES,
            command=with_container_paths(command, ingestion=False, scoring=True) if command else None,
            workdir=PROGRAM if command else "/app",  # an image's own command finds `input` and `output` there
            environment={"PALIO_INPUT": "/app/input"},
        )
        result = yield from self._run(job, recorded=not is_sample)
        verdicts.raise_if_score_stopped(result, job)
        verdicts.raise_if_scores_refused(self._engine.collect(job, target), result, job, target)

    def _scoring_image(self, program: Path) -> Generator[Stage, None, str]:
        """From the program's own Dockerfile, else from the image that the bundle names; built once per digest."""
        context = program
        if not (program / "Dockerfile").is_file():
            context = self.folder.work / "scoring-image"
            context.mkdir(exist_ok=True)
            (context / "Dockerfile").write_text(f"FROM {self.attempt.bundle.docker_image}\n")
        build = Build(
            name=self.attempt.job_name("score-image"),
            digest=digest_folder(context),
            context=context,
            limits=self.attempt.phase.rules.build,
            log=self.folder.log(Stage.SCORE),
        )
        result = yield from self._run(build, recorded=False)
        verdicts.raise_if_scoring_image_failed(result, build, self.attempt.task.scoring_program)
        return result.image or ""

    def _run(self, work: Work, *, recorded: bool = True) -> Generator[Stage, None, JobResult]:
        """Starts it, waits for its end, and writes down how it ended."""
        started = datetime.now(UTC)
        if recorded:
            self.result.stages[self.stage] = StageRecord(started=started)
        self._started.append(work)
        self._engine.start(work)
        yield self.stage
        while (result := self._engine.poll(work)) is None:
            yield self.stage
        if recorded:
            self.result.stages[self.stage] = StageRecord.of(result, started)
            self.folder.write_json("result.json", self.result.as_json())
        return result

    def _clean_up(self) -> None:
        while self._started:
            self._engine.remove(self._started.pop())
        self.folder.remove_work()

    def _end(self, verdict: Verdict) -> None:
        """The receipt is written before the verdict that it signs: whoever reads a verdict finds its receipt."""
        self.result.verdict = verdict
        self.result.finished = datetime.now(UTC)
        if self._key is not None and verdict is not Verdict.CANCELLED:
            write_receipt(self.folder, self.result.as_json(), self._key)
        self.folder.write_json("result.json", self.result.as_json())

    def _ask(self) -> None:
        attempt = self.attempt
        self.folder.write_json(
            "config.json",
            {
                "label": attempt.label,
                "submission": attempt.submission.path.resolve(),
                "challenge": attempt.bundle.root,
                "phase": attempt.phase.name,
                "engine": self._engine.name,
                "created": self.result.started,
                "identity": attempt.identity,
            },
        )

    def _lock(self) -> None:
        attempt = self.attempt
        resolved = lock(
            bundle=attempt.bundle,
            phase=attempt.phase,
            task=attempt.task,
            submission=attempt.submission,
            engine=self._engine,
        )
        self.folder.write_json("lock.json", resolved)

    def _unzipped(self, field: str, path: Path | None) -> Path:
        """What the bundle names as `field`, as a folder."""
        if path is None or not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise verdicts.data_missing(self.attempt.bundle, field, path)
        if path.is_dir():
            return path
        folder = self.folder.work / f"{field}-unzipped"
        if not folder.exists():
            unpack(path, folder)
        return folder

    def _copied(self, name: str, source: Path) -> Path:
        """A copy of an organizer's folder that every user may read, as the job's user has to; made once."""
        target = self.folder.work / name
        if target.exists():
            return target
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*IGNORED_NAMES), copy_function=shutil.copyfile)
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return target
