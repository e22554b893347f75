"""Runs an attempt's jobs and images on an engine: starts each once, waits for its end, records it, and removes it.

A job is never started twice, whichever processes continue the attempt. Peak memory and process counts are those
observed by the processes that watched a job.
"""

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from palio.core.attempt.jobs import Attempt
from palio.core.attempt.progress import Progress
from palio.core.attempt.run_folder import Result, RunFolder, Stage, StageRecord
from palio.core.engine import Engine, Job, JobResult, Work
from palio.core.errors import PalioError


class AttemptWork:
    """`tasks` are the attempt at each task of its phase. Its run folder gets `result` as its stages start and finish.

    `result` begins with the stages that earlier processes recorded; `left` is what those processes may have started.
    """

    def __init__(
        self,
        tasks: Sequence[Attempt],
        engine: Engine,
        folder: RunFolder,
        progress: Progress,
        result: Result,
        left: Sequence[Work],
    ) -> None:
        self._tasks = tasks
        self._engine = engine
        self._folder = folder
        self._progress = progress
        self._result = result
        self._recorded_stages = frozenset(result.stages)
        self._started = {work.name: work for work in left}  # and not removed yet

    def run(self, work: Work, stage: Stage, *, recorded: bool) -> Generator[Stage, None, JobResult]:
        """Starts the work, waits for its end and records the result. Skips what an earlier process has done."""
        self._started[work.name] = work
        if (result := self._progress.result(work)) is None:
            record = self._result.stages.get(stage) or StageRecord(started=datetime.now(UTC))
            record = replace(record, finished=None)  # of an earlier task
            if recorded:
                self._result.stages[stage] = record
            if not self._was_started(work, stage, recorded=recorded):
                self._engine.start(work)
            # Only now, so that nothing counts as started that was not.
            self._progress.note_start(work)
            if recorded:
                self._save()
            yield stage
            while (result := self._engine.poll(work)) is None:
                yield stage
            self._progress.note_end(work, result)
        if recorded and self._result.stages[stage].finished is None:
            self._result.stages[stage] = self._result.stages[stage].with_end(result)
            if len(self._tasks) > 1:
                self._join_logs(stage)
            self._save()
        return result

    def remove(self) -> bool:
        """Removes what was started, the latest first. False if the engine could not remove everything."""
        for work in reversed([*self._started.values()]):
            with suppress(PalioError):
                self._engine.remove(work)
                del self._started[work.name]
        return not self._started

    def _was_started(self, work: Work, stage: Stage, *, recorded: bool) -> bool:
        """Whether an earlier process started this job. Images are always requested again, as only their process builds
        them.
        """
        was_recorded = recorded and stage in self._recorded_stages and len(self._tasks) == 1
        return isinstance(work, Job) and (was_recorded or self._progress.is_started(work))

    def _join_logs(self, stage: Stage) -> None:
        """Puts the logs of all tasks so far into the log of the stage."""
        logs = [(attempt.task.name, attempt.log(self._folder, stage)) for attempt in self._tasks]
        texts = [f"[palio: {name}]\n{log.read_text(encoding='utf-8')}\n" for name, log in logs if log.is_file()]
        if texts:
            self._folder.log(stage).write_text("".join(texts), encoding="utf-8")

    def _save(self) -> None:
        self._folder.write_json("result.json", self._result.as_json())
