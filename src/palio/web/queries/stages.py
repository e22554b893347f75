"""The stages of an attempt as cards: finished, running with elapsed time, waiting or skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import RUNNING, State
from palio.core.bundle.model import Phase, SubmissionKind
from palio.core.engine import Limits
from palio.core.quantities import duration_text, size_text
from palio.web.models import Attempt, Purpose

SAYS = {
    State.QUEUED: "Waiting in the queue.",
    State.BUILD: "Building the image.",
    State.SAMPLE: "Running on the sample cases.",
    State.PREDICT: "Running on the hidden inputs.",
    State.SCORE: "Scoring the predictions.",
    State.SCORED: "Scored.",
    State.FAILED: "Failed.",
    State.CANCELLED: "Cancelled.",
}


@dataclass(frozen=True)
class StageCard:
    """`kind` is a class in palio.css: done, now, bad, skipped or waiting."""

    name: str
    kind: str
    time: str
    details: tuple[str, ...]


def cards(
    attempt: Attempt, kind: str, phase: Phase | None, stages: Mapping[str, Any], now: datetime
) -> list[StageCard]:
    """`stages` as in result.json; a phase that the bundle no longer has shows no limits."""
    return [_card(stage, attempt, phase, stages.get(stage), now) for stage in _path(attempt, kind, phase, stages)]


def _path(attempt: Attempt, kind: str, phase: Phase | None, stages: Mapping[str, Any]) -> list[Stage]:
    """The stages that this attempt passes."""
    only_scored = kind == SubmissionKind.RESULTS or attempt.purpose == Purpose.RESCORE
    own = {Stage.SCORE} if only_scored else {*Stage}
    if phase is None or phase.rules.sample is None:
        own.discard(Stage.SAMPLE)
    return [stage for stage in Stage if stage in own or stage in stages]


def _card(
    stage: Stage, attempt: Attempt, phase: Phase | None, record: Mapping[str, Any] | None, now: datetime
) -> StageCard:
    state: str = attempt.state
    limit = _time_limit(stage, phase)
    if state == stage:
        begun = datetime.fromisoformat(record["started"]) if record else attempt.moved
        spent = max((now - begun).total_seconds(), 0)
        return StageCard(
            stage, "now", f"{_whole(spent)}{f' of at most {limit}' if limit else ''}", _limits(stage, phase)
        )
    if record and record.get("wall_s") is not None:
        kind = "bad" if state == State.FAILED and _failed_at(attempt) == stage else "done"
        return StageCard(stage, kind, duration_text(record["wall_s"]), _used(stage, phase, record))
    if attempt.ended:
        bad = state == State.FAILED and _failed_at(attempt) == stage
        return StageCard(stage, "bad" if bad else "skipped", "failed" if bad else "not reached", ())
    if record or (state in RUNNING and [*Stage].index(Stage(state)) > [*Stage].index(stage)):
        return StageCard(stage, "done", "done", ())
    return StageCard(stage, "waiting", f"at most {limit}" if limit else "waiting", _limits(stage, phase))


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else duration_text(seconds)


def _failed_at(attempt: Attempt) -> str | None:
    failure = attempt.failure_shown or attempt.failure or {}
    stage: str | None = failure.get("stage")
    return stage


def _time_limit(stage: Stage, phase: Phase | None) -> str:
    if phase is None:
        return ""
    rules = phase.rules
    seconds = {
        Stage.BUILD: rules.build.time_s,
        Stage.SAMPLE: rules.predict.time_s,
        Stage.PREDICT: rules.predict.time_s,
        Stage.SCORE: rules.score.time_s,
    }
    return duration_text(seconds[stage])


def _container(stage: Stage, phase: Phase | None) -> Limits | None:
    if phase is None or stage is Stage.BUILD:
        return None
    return phase.rules.score if stage is Stage.SCORE else phase.rules.predict


def _limits(stage: Stage, phase: Phase | None) -> tuple[str, ...]:
    if limits := _container(stage, phase):
        return (f"{size_text(limits.memory_bytes)} memory, {limits.cpus:g} CPU{'' if limits.cpus == 1 else 's'}",)
    return (f"{size_text(phase.rules.build.memory_bytes)} memory",) if phase else ()


def _used(stage: Stage, phase: Phase | None, record: Mapping[str, Any]) -> tuple[str, ...]:
    said = []
    limits = _container(stage, phase)
    if peak := record.get("peak_memory_bytes"):
        said.append(f"{size_text(peak)}{f' of {size_text(limits.memory_bytes)}' if limits else ''} memory")
    if (cpu := record.get("cpu_s")) is not None:
        said.append(f"{duration_text(cpu)} of CPU time")
    if record.get("exit_code"):
        said.append(f"exit code {record['exit_code']}")
    return tuple(said)
