"""competition.yaml of a bundle in `version: 2`, and what that leaves out."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from palio.core.bundle.codabench_export.files import NamedFiles
from palio.core.bundle.codabench_export.leaderboards import leaderboards
from palio.core.bundle.codabench_export.losses import Losses
from palio.core.bundle.codabench_export.palio_block import is_foreign, palio_block, presentation_block
from palio.core.bundle.codabench_export.schedule import in_sequence
from palio.core.bundle.model import Bundle, Phase, Question, SubmissionKind, Task
from palio.core.quantities import duration_text

LONGEST_S = 600  # on Codabench's own machines
_NOT_THERE = {SubmissionKind.CONTEXT, SubmissionKind.IMAGE, SubmissionKind.REFERENCE, SubmissionKind.MONAI}
_IGNORED = {
    "data": "is ignored",
    "submissions": "is ignored: Codabench takes any zip, as predictions or as code for the ingestion program",
    "limits": "are ignored, except for the time as execution_time_limit: Codabench limits neither memory, CPUs, "
    "processes nor output",
    "logs": "is ignored: participants read the logs of their submissions, unless hide_output is true",
    "feedback": "is ignored: participants see their exact scores",
    "sample": "is ignored: there is no run on public cases first",
    "blind": "is ignored: programs see the real names of inputs",
    "monai": "is ignored: Codabench runs no MONAI bundles",
    "statistics": "is ignored: there are no intervals and rank ranges",
    "ranking": "is ignored: the submission_rule of the leaderboard says which submission counts",
}


def document(bundle: Bundle, files: NamedFiles, losses: Losses) -> dict[str, Any]:
    for field, path in (("image", bundle.logo), ("terms", bundle.terms)):
        if path is None:
            losses.add(field, "is missing, but Codabench requires it; add it before you upload the bundle")
    phases = in_sequence(bundle.phases, losses)
    written: dict[str, Any] = {
        "version": 2,
        "title": bundle.title,
        "description": bundle.description,
        "image": files.name(bundle.logo),
        "terms": files.name(bundle.terms),
        "registration_auto_approve": bundle.auto_approve,
        "docker_image": bundle.docker_image,
        "pages": [{"title": page.title, "file": files.name(page.file)} for page in bundle.pages],
        "fact_sheet": {question.key: _question(question) for question in bundle.fact_sheet},
        "tasks": [_task(task, at, files) for at, task in enumerate(bundle.tasks)],
        "solutions": [
            {"index": at, "name": solution.path.name, "path": files.name(solution.path), "tasks": list(solution.tasks)}
            for at, solution in enumerate(bundle.solutions)
        ],
        "phases": [_phase(phase, files, losses) for phase in phases],
        "leaderboards": leaderboards(bundle, losses),
        **_palio_blocks(phases, files, losses),
    }
    blocks = written.pop("blocks")
    for phase, block in zip(written["phases"], blocks, strict=True):
        phase |= {"palio": block} if block else {}
    if shown := presentation_block(bundle.presentation, files):
        for key in shown:
            losses.add(f"palio.{key}", "is ignored")
        written["palio"] = written.get("palio", {}) | shown
    return {key: value for key, value in written.items() if value not in (None, "", [], {})}


def _question(question: Question) -> dict[str, Any]:
    selection: Any = {"checkbox": [True, False], "select": list(question.options)}.get(question.type, "")
    return {
        "key": question.key,
        "type": question.type,
        "title": question.title,
        "selection": selection,
        "is_required": "true" if question.required else "false",
        "is_on_leaderboard": "true" if question.on_leaderboard else "false",
    }


def _task(task: Task, at: int, files: NamedFiles) -> dict[str, Any]:
    written = {
        "index": task.index,
        "name": task.name,
        "description": task.description,
        "scoring_program": files.program(task.scoring_program, f"tasks[{at}].scoring_program"),
        "ingestion_program": files.program(task.ingestion_program, f"tasks[{at}].ingestion_program"),
        "input_data": files.data(task.input_data, f"tasks[{at}].input_data"),
        "reference_data": files.data(task.reference_data, f"tasks[{at}].reference_data"),
        "ingestion_only_during_scoring": task.ingestion_only_during_scoring,
    }
    return {key: value for key, value in written.items() if value not in (None, "")}


def _phase(phase: Phase, files: NamedFiles, losses: Losses) -> dict[str, Any]:
    field = f"phases[{phase.index}]"
    if (limit_s := time_limit_s(phase)) > LONGEST_S:
        losses.add(
            f"{field}.execution_time_limit",
            f"is {duration_text(limit_s)}; on Codabench's own machines, {duration_text(LONGEST_S)} is the most",
        )
    if phase.leaderboards:
        losses.add(f"{field}.leaderboards", "is ignored: all phases have the first leaderboard")
    if phase.migrates_ranked:
        losses.add(
            f"{field}.migrates_ranked",
            "is lost: the phase takes over what is on the leaderboard, as on CodaLab, but on Codabench all submissions",
        )
    if len(phase.tasks) > 1:
        losses.add(f"{field}.tasks", "has several tasks: Palio shows the mean of their scores, Codabench the sum")
    written = {
        "index": phase.index,
        "name": phase.name,
        "description": phase.description,
        "start": _time(phase.start),
        "end": _time(phase.end),
        "tasks": [task.index for task in phase.tasks],
        "max_submissions_per_day": _quota(phase.max_submissions_per_day, f"{field}.max_submissions_per_day", losses),
        "max_submissions": _quota(phase.max_submissions, f"{field}.max_submissions", losses),
        "execution_time_limit": limit_s,
        "auto_migrate_to_this_phase": phase.auto_migrate,
        "hide_output": phase.hide_output,
        "hide_prediction_output": phase.hide_prediction_output,
        "hide_score_output": phase.hide_score_output,
        "starting_kit": files.data(phase.starting_kit, f"{field}.starting_kit"),
        "public_data": files.data(phase.public_data, f"{field}.public_data"),
        "leaderboards": list(phase.leaderboards),
    }
    return {key: value for key, value in written.items() if value not in (None, "", [])}


def time_limit_s(phase: Phase) -> int:
    """Codabench's one limit for each stage, in whole seconds."""
    return math.ceil(max(phase.rules.predict.time_s, phase.rules.score.time_s))


def _time(instant: datetime | None) -> str | None:
    """As a text with its offset: Codabench drops the time of day of anything else."""
    return instant.isoformat(sep=" ") if instant else None


def _quota(most: int | None, field: str, losses: Losses) -> int:
    if most == 0:
        losses.add(
            field,
            "is 0, which closes the phase in CodaLab's format but means any number on Codabench, so 1 was written",
        )
        return 1
    return most or 0


def _palio_blocks(phases: Sequence[Phase], files: NamedFiles, losses: Losses) -> dict[str, Any]:
    """The block at the top level if all phases have the same, else one for each phase."""
    if all(is_foreign(phase, time_limit_s(phase)) for phase in phases):
        return {"blocks": [None] * len(phases)}
    blocks = [palio_block(phase, time_limit_s(phase), files) for phase in phases]
    for key in dict.fromkeys(key for block in blocks for key in block):
        losses.add(f"palio.{key}", _IGNORED.get(key, "is ignored"))
    if "limits" not in {key for block in blocks for key in block}:
        losses.add("palio.limits", _IGNORED["limits"])
    kinds = [kind for phase in phases for kind in phase.rules.submissions if kind in _NOT_THERE]
    if kinds:
        listed = ", ".join(dict.fromkeys(kind.value for kind in kinds))
        losses.add("palio.submissions", f"takes {listed}, which Codabench cannot build or run")
    if all(block == blocks[0] for block in blocks):
        return {"blocks": [None] * len(phases), "palio": blocks[0]}
    return {"blocks": blocks}
