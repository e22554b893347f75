"""Writes participant/ in the run folder: everything that a participant may read of an attempt.

    result.json      verdict, scores, failure as shown to participants, times and ends of the stages
    build.log        of the submission's build, complete; nothing about a scoring program's image
    sample.log  sample-score.log  predict.log  score.log        as allowed by the phase's log policy

Covered: the feedback rule applies to the scores; the policy applies to the files and to the last lines shown in a
failure; hidden names and labels in a scoring program's messages about predictions (`hidden_names` lists the limits);
details of failures that are not the participant's; paths of this machine. A text that cannot be checked is left out.
Not covered: what a submission itself
reveals about hidden data in a readable log, or in a few hundred bytes of exit codes, columns or file names; what
organizers let participants read of a scoring program's log.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace

from palio.core.attempt.jobs import Attempt
from palio.core.attempt.prepared import Prepared
from palio.core.attempt.run_folder import Result, RunFolder, Stage
from palio.core.bundle.feedback import shown_alone
from palio.core.bundle.model import LogPolicy, Rules
from palio.core.errors import Cause, Failure
from palio.core.files.log import harmless, lines_at_end
from palio.core.files.untrusted import UnreadableFileError, open_untrusted
from palio.core.quantities import KIB, MIB
from palio.core.redaction.failure import for_participant
from palio.core.redaction.hidden_names import MASK
from palio.core.redaction.host_paths import HostPaths
from palio.core.redaction.scorer_messages import without_hidden

NAME = "participant"
END_ONLY = "[palio: only the end of this log is shown]"
_LOG_BYTES = 16 * MIB  # more than is kept of any log
_TAIL_LINES, _TAIL_BYTES = 20, 4 * KIB
_SAMPLE_SCORE = "sample-score"
_SUBMISSION_EVIDENCE = {
    "predict-output-refused",
    "predictions-unmapped",
    "monai-output-unfit",
}  # their evidence is written by the submission
_HIDDEN = {Stage.PREDICT, Stage.SCORE}


def visible_log(folder: RunFolder, stage: Stage, rules: Rules) -> str | None:
    """What a participant may read of a stage's log, even while it grows. None if nothing, or if there is no log."""
    if stage is Stage.SCORE:
        stages = folder.read_json("result.json")["stages"] if folder.has("result.json") else {}
        if stage not in stages:
            return None  # the log so far is of the image's build
    return _visible(folder, stage.value, rules, _paths(folder))


def visible_stages(folder: RunFolder) -> dict[str, object]:
    """What a participant may know about the stages by name, even while they run: when, how long and how each ended."""
    for name in (f"{NAME}/result.json", "result.json"):
        if folder.has(name):
            stages = folder.read_json(name)["stages"]
            return {stage: _visible_record(Stage(stage), content) for stage, content in stages.items()}
    return {}


def write_view(folder: RunFolder, result: Result, attempt: Attempt, prepared: Prepared) -> None:
    """Writes participant/ again, for the verdict that the caller writes next. Raises OSError."""
    rules, paths = attempt.phase.rules, _paths(folder)
    view = folder.root / NAME
    shutil.rmtree(view, ignore_errors=True)
    view.mkdir(exist_ok=True)
    logs = {}
    for name in (*Stage, _SAMPLE_SCORE):
        is_of_image = name == Stage.SCORE and Stage.SCORE not in result.stages
        text = None if is_of_image else _visible(folder, name, rules, paths)
        if text is not None:
            logs[name] = text
            (view / f"{name}.log").write_text(text, encoding="utf-8", newline="")
    failure = result.failure and _failure(result.failure, logs, attempt, folder, prepared, paths)
    content = {
        "verdict": result.verdict,
        "scores": shown_alone(result.scores, attempt.phase.rules.feedback) if result.scores is not None else None,
        "failure": failure.as_json() if failure else None,
        "started": result.started,
        "finished": result.finished,
        "stages": {stage.value: _visible_record(stage, record.as_json()) for stage, record in result.stages.items()},
    }
    RunFolder(view).write_json("result.json", content)


# -- logs


def _visible(folder: RunFolder, name: str, rules: Rules, paths: HostPaths) -> str | None:
    path, policy = {
        Stage.BUILD: (folder.log(Stage.BUILD), LogPolicy.FULL),
        Stage.SAMPLE: (folder.log(Stage.SAMPLE), rules.logs_sample),
        _SAMPLE_SCORE: (folder.sample / "score.log", rules.logs_sample),
        Stage.PREDICT: (folder.log(Stage.PREDICT), rules.logs_predict),
        Stage.SCORE: (folder.log(Stage.SCORE), rules.logs_score),
    }[name]
    if policy not in {LogPolicy.TAIL, LogPolicy.FULL}:
        return None
    try:
        with open_untrusted(path) as file:
            text = paths.removed(harmless(file.read(_LOG_BYTES)))
    except (OSError, UnreadableFileError):
        return None
    return _end(text) if policy is LogPolicy.TAIL else text


def _end(text: str) -> str:
    lines = text.splitlines(keepends=True)
    end = "".join(lines[-_TAIL_LINES:]).encode()[-_TAIL_BYTES:].decode(errors="ignore")
    return text if len(end) == len(text) else f"{END_ONLY}\n{end}"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + MASK


# -- result.json


def _visible_record(stage: Stage, content: Mapping[str, object]) -> dict[str, object]:
    """Of a scoring program, only that it ran and for how long. Its resource use is the organizer's business."""
    shown = ("started", "finished", "wall_s", "end")
    own = ("exit_code", "peak_memory_bytes", "peak_pids", "cpu_s")
    return {name: content[name] for name in (shown if stage is Stage.SCORE else shown + own)}


def _failure(
    failure: Failure,
    logs: Mapping[str, str],
    attempt: Attempt,
    folder: RunFolder,
    prepared: Prepared,
    paths: HostPaths,
) -> Failure:
    shown = for_participant(failure)
    rules = attempt.phase.rules
    if shown.stage in _HIDDEN and shown.evidence:
        if shown.code == "predictions-invalid" or (rules.blind is None and shown.code != "predictions-unmapped"):
            shown = replace(shown, evidence=without_hidden(shown.evidence, attempt, folder, prepared))
        if shown.code in _SUBMISSION_EVIDENCE and rules.logs_predict in {LogPolicy.NONE, LogPolicy.ORGANIZER}:
            shown = replace(shown, evidence=tuple(_cut(line, 80) for line in shown.evidence[:3]))
    # On public cases the scoring program's log is shown as well, because nothing is hidden.
    is_others = failure.cause is Cause.ORGANIZER and failure.stage == Stage.SAMPLE
    source = _SAMPLE_SCORE if is_others and failure.code != "score-image-failed" else str(failure.stage)
    if (failure.cause is Cause.PARTICIPANT or source == _SAMPLE_SCORE) and failure.log:
        shown = replace(shown, log=lines_at_end(logs.get(source, "").removeprefix(END_ONLY)))
    return replace(
        shown,
        message=paths.removed(shown.message),
        evidence=tuple(map(paths.removed, shown.evidence)),
        next_step=paths.removed(shown.next_step),
    )


def _paths(folder: RunFolder) -> HostPaths:
    asked = folder.read_json("config.json") if (folder.root / "config.json").is_file() else {}
    named = [asked[name] for name in ("challenge", "submission") if asked.get(name)]
    return HostPaths([folder.root, *named])
