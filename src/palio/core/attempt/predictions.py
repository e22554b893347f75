"""An attempt's predictions: taken from the submission or an earlier attempt, or collected from its container."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from palio.core.attempt import verdicts
from palio.core.attempt.before_scoring import take_all_output
from palio.core.attempt.blind import Names
from palio.core.attempt.code import CodeRun, remove_submitted_programs
from palio.core.attempt.jobs import METADATA, Attempt
from palio.core.attempt.monai_files import name_files
from palio.core.attempt.monai_output import convert_table
from palio.core.attempt.progress import clear
from palio.core.attempt.restore import restore_all
from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.model import SubmissionKind
from palio.core.engine import Engine, Job
from palio.core.submission.kinds import unpack_results


def take_submitted(tasks: Sequence[Attempt], folder: RunFolder) -> None:
    """Unpacks submitted predictions. `tasks` is the attempt with each task of its phase.

    Raises PalioError if they are unreadable or too large.
    """
    clear(folder.predictions)
    for attempt in tasks:
        target = attempt.predictions(folder)
        unpack_results(attempt.submission, target, attempt.phase.rules.predict.output_bytes)
        write_metadata(target, exit_code=0, wall_s=0)


def take_earlier(collected: Path, folder: RunFolder) -> None:
    """Copies the predictions that another attempt left."""
    clear(folder.predictions)
    shutil.copytree(collected, folder.predictions, copy_function=shutil.copyfile)


def collect(
    engine: Engine, job: Job, target: Path, *, attempt: Attempt, run: CodeRun | None, inputs: Path | None, names: Names
) -> None:
    """Collects the output of a finished job in `target`, under the real names of the cases.

    `run` is how submitted code ran. `inputs` are what the job read, and `names` their opaque names. Raises PalioError
    if the output is missing or refused.
    """
    rules = attempt.phase.rules
    is_before = run is not None and run.before_scoring
    clear(target)
    collected = engine.collect(job, target)
    if is_before:
        collected = take_all_output(collected, target)
    verdicts.raise_if_output_unfit(collected, job)
    if run and (run.is_in_output or is_before):
        remove_submitted_programs(run.submitted, target)
        verdicts.raise_if_nothing_left(target, job)
    blind = rules.blind if inputs else None
    if inputs and attempt.submission.kind is SubmissionKind.MONAI:
        convert_table(target, inputs, rules.monai)
        name_files(target, inputs, rules.monai, blind)
    if blind:
        restore_all(target, blind, names)


def write_metadata(target: Path, *, exit_code: int | None, wall_s: float, ingests: bool = False) -> None:
    """Writes the file that older scoring programs read. Written last, so that a submission cannot replace it.

    `ingests`: whether the bundle's ingestion program ran the submission.
    """
    text = f"exitCode: {exit_code}\nelapsedTime: {wall_s:.3f}\n"
    if ingests:
        text += f"ingestionExitCode: {exit_code}\ningestionElapsedTime: {wall_s:.3f}\n"
    (target / METADATA).write_text(text)
