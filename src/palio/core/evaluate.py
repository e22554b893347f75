"""Evaluates an attempt: build, sample, predict, collect, score. The only place that knows this sequence.

`Evaluation.step()` advances an attempt by one move and returns at once, so a command line can step one in a loop and a
server can step many. A process may be killed at any point: a new Evaluation of the same attempt and run folder goes
through the same sequence and skips what has been done. A job is never started twice; if a started job has disappeared,
that is an engine fault. A finished attempt keeps its verdict.

Dropping an Evaluation leaves its jobs running for another process to resume; `cancel` ends them.

It is a long module because the sequence, with what each stage may see and which failure is whose, is reviewed as a
whole. What a step does in detail is in core.attempt.
"""

import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from palio.core.attempt import verdicts
from palio.core.attempt.before_scoring import left_for_scoring
from palio.core.attempt.blind import Names, refuse_unfit
from palio.core.attempt.bundle_image import BundleImage, resolve_image, uses_bundle_image
from palio.core.attempt.code import CodeRun, code_run
from palio.core.attempt.input_copies import InputCopies
from palio.core.attempt.jobs import Attempt
from palio.core.attempt.lock import lock
from palio.core.attempt.predictions import collect, take_earlier, take_submitted, write_metadata
from palio.core.attempt.prepared import Prepared
from palio.core.attempt.progress import Progress, clear
from palio.core.attempt.resume import resume
from palio.core.attempt.run_folder import Result, RunFolder, Stage, Verdict
from palio.core.attempt.work import AttemptWork
from palio.core.bundle.leaderboards import score_columns
from palio.core.bundle.model import SubmissionKind
from palio.core.bundle.program import read_program, with_container_paths
from palio.core.bundle.task_columns import combined, own_columns
from palio.core.dockerfile.substitutes import NONE as NO_SUBSTITUTES
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.engine import Engine, Job, JobResult, Mount, Work
from palio.core.errors import Cause, Failure, PalioError
from palio.core.files.staging import writing
from palio.core.leaderboard.scores import FILES, Scores, read_scores
from palio.core.receipt.statement import write_receipt
from palio.core.redaction.participant_view import write_view
from palio.core.submission.kinds import monai_bundle
from palio.core.submission.monai.context import check_command
from palio.core.submission.reference import read_reference

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Attempt", "Evaluation"]

JobOn: TypeAlias = Callable[[Path | None], Job]  # the job of the current stage on a folder of inputs

REPORT = "detailed_results.html"
_POLL_S = 0.02


class Evaluation:
    """The evaluation of one attempt. `result` grows with each step; `stage` is the current stage.

    `files_of` says whose files are being read, the participant's or the organizer's.
    """

    def __init__(
        self,
        attempt: Attempt,
        engine: Engine,
        folder: RunFolder,
        *,
        key: "Ed25519PrivateKey | None" = None,
        any_kind: bool = False,
        collected: Path | None = None,
        copies: InputCopies | None = None,
        substitutes: Substitutes = NO_SUBSTITUTES,
        only_sample: bool = False,
        watch: Callable[["Evaluation"], None] = lambda _: None,
    ) -> None:
        """With `key`, signs a receipt at the end of the attempt.

        With `any_kind`, evaluates kinds of submission that the phase would not accept from a participant. With
        `collected`, only scores the predictions that another attempt left there. With `copies`, copies hidden inputs
        there once and links them from then on. `substitutes` are images for bundles whose own the engine lacks. With
        `only_sample`, ends as scored, without scores, once the public cases have run. Calls `watch` in the middle of a
        step whenever `stage` or `files_of` changes and when the verdict is written.

        Resumes the attempt if it has started in this folder. Raises PalioError "target-not-empty" if the folder belongs
        to another attempt.
        """
        self.attempt = attempt
        self._key = key
        self._any_kind = any_kind
        self._collected = collected
        self._only_sample = only_sample
        self.folder = folder
        self.stage = Stage.BUILD
        self.files_of = Cause.ORGANIZER
        self._substitutes = substitutes
        self.image: BundleImage | None = None  # known after the first step, if a program runs in it
        self._watch = watch
        self.result, has_begun = resume(attempt, folder)
        self._engine = engine
        self._progress = Progress(folder.work)
        self._prepared = Prepared(attempt.bundle, self._progress, copies)
        self._tasks = attempt.tasks()
        left = [*attempt.all_work(folder)] if has_begun else []
        self._work = AttemptWork(self._tasks, engine, folder, self._progress, self.result, left)
        self._code_run_now: CodeRun | None = None  # how the current task runs the submission
        self._moves = self._evaluate()

    def step(self) -> bool:
        """Makes one move. Returns False once the attempt is over and `result` has its verdict."""
        return next(self._moves, None) is not None

    def finish(self) -> Result:
        """Steps to the end and returns the result. An interruption cancels the attempt."""
        try:
            while self.step():
                time.sleep(_POLL_S)
        finally:
            self.cancel()  # does nothing once the attempt is over
        return self.result

    def cancel(self) -> None:
        """Ends the attempt as cancelled unless it is over; stops and removes its jobs."""
        self._moves.close()
        if self.result.verdict is None:
            with suppress(OSError):
                self._end(Verdict.CANCELLED)
        self._clean_up()

    def fail(self, failure: Failure) -> None:
        """Like `cancel`, but ends the attempt with a failure that was found elsewhere."""
        self._moves.close()
        if self.result.verdict is None:
            self.result.failure, self.result.scores = failure, None
            if not self._is_ended(Verdict.FAILED):
                return
        self._clean_up()

    # -- the sequence of stages

    def _evaluate(self) -> Generator[Stage, None, None]:
        if self.result.verdict is None:
            try:
                with writing(self.folder.root):
                    self.folder.make_work()
                    yield from self._stages()
                    self._end(Verdict.SCORED)
            except PalioError as error:
                self.result.failure, self.result.scores = error.failure, None
                if not self._is_ended(Verdict.FAILED):
                    return
            except MemoryError:  # of this process: another process continues
                raise
            except Exception:  # a bug, which no other process will resume
                self._clean_up()
                raise
        self._clean_up()  # last, so that a process killed here leaves a verdict

    def _stages(self) -> Generator[Stage, None, None]:
        attempt = self.attempt
        self._write_config()
        is_code = attempt.submission.kind is SubmissionKind.CODE and self._collected is None
        runs = [self._code_run() for _ in self._each_task()] if is_code else []
        self._write_lock(runs[0] if runs else None)
        if not self._any_kind:
            verdicts.refuse_unfit(attempt.submission, attempt.phase)
        for task in attempt.phase.tasks:
            if attempt.phase.rules.blind and task.input_data:
                refuse_unfit(task.input_data, attempt.phase.rules.blind)
        self._engine.check(attempt.phase.rules.score)
        if self._collected is not None or attempt.submission.kind is SubmissionKind.RESULTS:
            self._take_predictions()
        else:
            self._engine.check(attempt.phase.rules.predict)
            if runs:
                jobs = []
                for number, _ in enumerate(self._each_task()):
                    jobs.append((yield from self._code(runs[number])))
            else:
                jobs = [(yield from self._container())] * len(self._tasks)
            self.attempt = self._tasks[0]
            yield from self._sample(jobs[0])
            if self._only_sample:
                return
            for number, _ in enumerate(self._each_task()):
                yield from self._predict(jobs[number])
        scores = {}
        for each in self._each_task():
            scores[each.task.index] = yield from self._score()
        self.result.scores = scores[attempt.task.index] if len(scores) == 1 else combined(scores)

    @property
    def _bundle_image(self) -> BundleImage:
        return self.image or BundleImage(self.attempt.bundle.docker_image)

    def _each_task(self) -> Iterator[Attempt]:
        """Makes each task the current one, in turn."""
        for attempt in self._tasks:
            self.attempt = attempt
            yield attempt

    def _take_predictions(self) -> None:
        """Takes the submitted predictions, or those that another attempt left."""
        self._reach(self.stage, Cause.PARTICIPANT)
        if self._progress.is_done("predictions"):
            return
        if self._collected is not None:
            take_earlier(self._collected, self.folder)
        else:
            take_submitted(self._tasks, self.folder)
        self._progress.note_done("predictions")

    def _container(self) -> Generator[Stage, None, JobOn]:
        """Builds or loads the submission's image."""
        self._reach(Stage.BUILD, Cause.PARTICIPANT)
        ways = {
            SubmissionKind.IMAGE: self._load,
            SubmissionKind.REFERENCE: self._pull,
            SubmissionKind.MONAI: self._build_monai,
        }
        image = yield from ways.get(self.attempt.submission.kind, self._build)()

        def job_on(inputs: Path | None) -> Job:
            assert inputs is not None  # noqa: S101 - `_predict` has refused
            return self.attempt.submission_job(self.folder, self.stage, image=image, inputs=inputs)

        return job_on

    def _code_run(self) -> CodeRun:
        self._reach(Stage.BUILD, Cause.PARTICIPANT)
        attempt, program = self.attempt, self.attempt.task.ingestion_program
        submitted = self._prepared.code(attempt.submission, attempt.phase.rules.build.size_bytes)
        if program is None:
            return code_run(submitted, None, attempt.task)
        self._reach(Stage.BUILD, Cause.ORGANIZER)
        return code_run(
            submitted, self._copied("ingestion", "ingestion_program", program, executable=True), attempt.task
        )

    def _code(self, run: CodeRun) -> Generator[Stage, None, JobOn]:
        """Builds the image that runs the submission's code."""
        self._reach(Stage.BUILD, Cause.ORGANIZER)
        attempt = self.attempt
        build = attempt.code_image(self.folder, run.context or self._prepared.image_context(self._bundle_image))
        result = yield from self._run(build)
        if run.context is None:
            verdicts.raise_if_bundle_image_failed(result, build, self._bundle_image, self.stage)
        verdicts.raise_if_code_image_failed(result, build, attempt.task.ingestion_program)

        def job_on(inputs: Path | None) -> Job:
            self._code_run_now = run
            return attempt.code_job(self.folder, self.stage, image=result.image or "", run=run, inputs=inputs)

        return job_on

    def _load(self) -> Generator[Stage, None, str]:
        verdicts.refuse_unloadable(self._engine, self.attempt.submission.kind)
        load = self.attempt.load(self.folder)
        result = yield from self._run(load)
        verdicts.raise_if_load_failed(result, load)
        return result.image or ""

    def _pull(self) -> Generator[Stage, None, str]:
        verdicts.refuse_unloadable(self._engine, self.attempt.submission.kind)
        submission = self.attempt.submission
        load = self.attempt.pull(self.folder, read_reference(submission.path, submission.name))
        result = yield from self._run(load)
        verdicts.raise_if_load_failed(result, load)
        return result.image or ""

    def _build(self) -> Generator[Stage, None, str]:
        attempt = self.attempt
        context = self._prepared.context(attempt.submission, attempt.phase.rules.build.size_bytes)
        build = attempt.build(self.folder, context)
        result = yield from self._run(build)
        verdicts.raise_if_build_failed(result, build)
        return result.image or ""

    def _build_monai(self) -> Generator[Stage, None, str]:
        """Builds the image of a MONAI bundle, and checks that it has MONAI before the bundle runs in it."""
        attempt, rules = self.attempt, self.attempt.phase.rules
        bundle = monai_bundle(attempt.submission, rules.monai.classes)
        build = attempt.build(self.folder, self._prepared.monai_context(attempt.submission, bundle, rules))
        result = yield from self._run(build)
        verdicts.raise_if_monai_image_failed(result, build, rules.monai.image)
        check = attempt.monai_check_job(self.folder, image=result.image or "", command=check_command(bundle))
        found = yield from self._run(check, recorded=False)
        verdicts.raise_if_monai_missing(found, check, rules.monai.image, self._engine)
        return result.image or ""

    def _sample(self, job_on: JobOn) -> Generator[Stage, None, None]:
        """Runs the public cases first, so that failures here have touched no hidden data."""
        policy = self.attempt.phase.rules.sample
        if policy is None:
            return
        self._reach(Stage.SAMPLE, Cause.ORGANIZER)
        predictions = self.folder.sample / "predictions"
        try:
            yield from self._run_submission(
                job_on, self._prepared.unzipped("palio.sample.input", policy.input), predictions
            )
            if policy.expect and not self._only_sample:
                expected = self._copied("expected", "palio.sample.expect", policy.expect)
                yield from self._run_scoring(expected, predictions, self.folder.sample / "scores")
        except PalioError as error:
            error.happened_on_sample()
            raise

    def _predict(self, job_on: JobOn) -> Generator[Stage, None, None]:
        self._reach(Stage.PREDICT, Cause.ORGANIZER)
        data, inputs, digest = self.attempt.task.input_data, None, None
        if data is not None or self.attempt.submission.kind is not SubmissionKind.CODE:
            inputs = self._prepared.unzipped("input_data", data, self.attempt.part)
            locked = self.folder.read_json("lock.json")
            if self.attempt.part:
                locked = locked["tasks"][self._tasks.index(self.attempt)]
            digest = locked["input_data"]["digest"]
        yield from self._run_submission(job_on, inputs, self.attempt.predictions(self.folder), digest)

    def _score(self) -> Generator[Stage, None, Scores]:
        self._reach(Stage.SCORE, Cause.ORGANIZER)
        attempt, scores = self.attempt, self.attempt.scores(self.folder)
        reference = self._copied("ref", "reference_data", attempt.task.reference_data)
        yield from self._run_scoring(reference, attempt.predictions(self.folder), scores)
        if (report := scores / REPORT).is_file() and attempt is self._tasks[0]:
            shutil.copyfile(report, self.folder.report)
        return read_scores(scores, own_columns(score_columns(attempt.bundle, attempt.phase)))

    # -- parts of the stages

    def _run_submission(
        self, job_on: JobOn, source: Path | None, target: Path, digest: str | None = None
    ) -> Generator[Stage, None, None]:
        """Runs the submission on `source` and collects its predictions, with real names, in `target`."""
        blind = self.attempt.phase.rules.blind if source else None
        inputs, names = None, Names({})
        if source:
            inputs, names = self._prepared.inputs(f"{self.stage}-in{self.attempt.part}", source, blind, digest)
        job = job_on(inputs)
        self._reach(self.stage, Cause.PARTICIPANT)
        result = yield from self._run(job)
        run = self._code_run_now
        is_before = run is not None and run.before_scoring
        verdicts.raise_if_predict_failed(result, job, ingestion=self._ingests, is_before=is_before)
        if self._progress.is_done(f"{self.stage}-collected{self.attempt.part}"):
            return  # the scoring program may be reading it
        collect(self._engine, job, target, attempt=self.attempt, run=run, inputs=inputs, names=names)
        write_metadata(target, exit_code=result.exit_code, wall_s=result.wall_s, ingests=self._ingests)
        self._progress.note_done(f"{self.stage}-collected{self.attempt.part}")

    @property
    def _ingests(self) -> bool:
        """Whether the ingestion program runs the submission."""
        return self._code_run_now is not None and self._code_run_now.ingestion is not None

    def _reach(self, stage: Stage, files_of: Cause) -> None:
        self.stage, self.files_of = stage, files_of
        self._watch(self)

    def _run_scoring(self, reference: Path, results: Path, target: Path) -> Generator[Stage, None, None]:
        """Runs the scoring program on `results` and collects its output in `target`."""
        self._reach(self.stage, Cause.ORGANIZER)
        program = self._copied("program", "scoring_program", self.attempt.task.scoring_program, executable=True)
        command = read_program(program).command
        image = yield from self._scoring_image(program)
        is_before = self.attempt.task.ingestion_only_during_scoring
        more: Sequence[Mount] = ()
        if is_before:
            label = f"{self.stage}{self.attempt.part}-left"
            results, more = left_for_scoring(label, results, self._prepared, attempt=self.attempt, scores=FILES)
        job = self.attempt.scoring_job(
            self.folder,
            self.stage,
            image=image,
            command=with_container_paths(command, ingestion=False, scoring=True) if command else None,
            program=program,
            reference=reference,
            results=results,
            more=more,
        )
        result = yield from self._run(job, recorded=self.stage is Stage.SCORE)
        verdicts.raise_if_score_stopped(result, job, is_before=is_before)
        clear(target)
        is_results = self.attempt.submission.kind is SubmissionKind.RESULTS
        skipped = is_results and self.attempt.task.ingestion_program is not None
        collected = self._engine.collect(job, target)
        verdicts.raise_if_scores_refused(collected, result, job, target, ingestion_skipped=skipped, is_before=is_before)

    def _scoring_image(self, program: Path) -> Generator[Stage, None, str]:
        """Builds the program's own Dockerfile, else the image that the bundle names; once per digest."""
        own = (program / "Dockerfile").is_file()
        build = self.attempt.scoring_image(
            self.folder, program if own else self._prepared.image_context(self._bundle_image)
        )
        result = yield from self._run(build, recorded=False)
        if not own:
            verdicts.raise_if_bundle_image_failed(result, build, self._bundle_image, self.stage)
        verdicts.raise_if_scoring_image_failed(result, build, self.attempt.task.scoring_program)
        return result.image or ""

    def _copied(self, name: str, field: str, path: Path | None, *, executable: bool = False) -> Path:
        part = self.attempt.part
        return self._prepared.copied(name + part, self._prepared.unzipped(field, path, part), executable=executable)

    def _run(self, work: Work, *, recorded: bool = True) -> Generator[Stage, None, JobResult]:
        return self._work.run(work, self.stage, recorded=recorded)

    def _clean_up(self) -> None:
        """Removes what this attempt started. If that fails, .work stays, and the next process tries again."""
        if self._work.remove():
            self.folder.remove_work()

    def _end(self, verdict: Verdict) -> None:
        """Ends the attempt. The verdict is written last, after the participant's view and the receipt."""
        self.result.verdict = verdict
        self.result.finished = datetime.now(UTC)
        write_view(self.folder, self.result, self.attempt, self._prepared)
        if self._key is not None and verdict is not Verdict.CANCELLED:
            write_receipt(self.folder, self.result.as_json(), self._key)
        self.folder.write_json("result.json", self.result.as_json())
        self._watch(self)

    def _is_ended(self, verdict: Verdict) -> bool:
        """Ends the attempt if that can be written. If not, as on a full disk, `result` has the verdict, but a process
        that is killed now leaves none. Then what was started has to stay: without it, the next process would start it
        again.
        """
        try:
            self._end(verdict)
        except OSError:
            return False
        return True

    def _write_config(self) -> None:
        attempt = self.attempt
        if self.folder.has("config.json"):
            return
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

    def _write_lock(self, run: CodeRun | None) -> None:
        attempt = self.attempt
        if self.folder.has("lock.json"):
            image = self.folder.read_json("lock.json").get("image")
            self.image = BundleImage.from_json(image) if image else None
            return
        kind = SubmissionKind.RESULTS if self._collected is not None else attempt.submission.kind
        if any(uses_bundle_image(task, kind) for task in attempt.phase.tasks):
            self.image = resolve_image(attempt.bundle, self._engine, self._substitutes)
        resolved = lock(
            bundle=attempt.bundle,
            phase=attempt.phase,
            task=attempt.task,
            submission=attempt.submission,
            engine=self._engine,
            code=run.way if run else None,
            image=self.image,
            version=attempt.version,
            rescored=attempt.rescored,
        )
        self.folder.write_json("lock.json", resolved)
