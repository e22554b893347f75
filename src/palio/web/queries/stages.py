"""The stages of an attempt as cards: finished, running with elapsed time, waiting or skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, gettext_noop

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import RUNNING, State
from palio.core.bundle.model import Phase, SubmissionKind
from palio.core.engine import Limits
from palio.web.language.numbers import duration, number, size
from palio.web.language.words import word
from palio.web.models import Attempt, Purpose

SAYS = {
    State.QUEUED: gettext_noop("Waiting in the queue."),
    State.BUILD: gettext_noop("Building the image."),
    State.SAMPLE: gettext_noop("Running on the sample cases."),
    State.PREDICT: gettext_noop("Running on the hidden inputs."),
    State.SCORE: gettext_noop("Scoring the predictions."),
    State.SCORED: gettext_noop("Scored."),
    State.FAILED: gettext_noop("Failed."),
    State.CANCELLED: gettext_noop("Cancelled."),
}


@dataclass(frozen=True)
class StageCard:
    """`kind` is a class in palio.css: done, now, bad, skipped or waiting. The shares are of the limits, None if they
    are unknown; `memory` is empty if nothing is known of it.
    """

    name: str
    kind: str
    time: str
    time_share: float | None = None
    memory: str = ""
    memory_share: float | None = None
    details: tuple[str, ...] = ()


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
    limit_s = _time_limit_s(stage, phase)
    limit = duration(limit_s) if limit_s else ""
    if state == stage:
        begun = datetime.fromisoformat(record["started"]) if record else attempt.moved
        spent_s = max((now - begun).total_seconds(), 0)
        return StageCard(
            stage,
            "now",
            _of_limit(_whole(spent_s), limit),
            _share(spent_s, limit_s),
            memory=_limits(stage, phase),
        )
    if record and record.get("wall_s") is not None:
        kind = "bad" if state == State.FAILED and _failed_at(attempt) == stage else "done"
        most = _memory_limit(stage, phase)
        peak = record.get("peak_memory_bytes")
        return StageCard(
            stage,
            kind,
            _of_limit(duration(record["wall_s"]), limit),
            _share(record["wall_s"], limit_s),
            memory=_memory(peak, most),
            memory_share=_share(peak, most) if peak else None,
            details=_used(record),
        )
    if attempt.ended:
        bad = state == State.FAILED and _failed_at(attempt) == stage
        return StageCard(stage, "bad" if bad else "skipped", word("failed") if bad else gettext("not reached"))
    if record or (state in RUNNING and [*Stage].index(Stage(state)) > [*Stage].index(stage)):
        return StageCard(stage, "done", gettext("done"))
    time = gettext("at most %(limit)s") % {"limit": limit} if limit else word("waiting")
    return StageCard(stage, "waiting", time, memory=_limits(stage, phase))


def remaining_text(attempt: Attempt, kind: str, phase: Phase | None, now: datetime) -> str:
    """How long a running attempt can still take, bounded by what remains of its limits; empty if that is unknown.

    The limits hold for each task, so nothing is said of a phase with several tasks.
    """
    state: str = attempt.state
    if phase is None or len(phase.tasks) != 1 or state not in RUNNING:
        return ""
    at = [*Stage].index(Stage(state))
    later = [stage for stage in _path(attempt, kind, phase, {}) if [*Stage].index(stage) >= at]
    left_s = sum(_time_limit_s(stage, phase) or 0 for stage in later)
    if Stage.SAMPLE in later and phase.rules.sample and phase.rules.sample.expect:
        left_s += phase.rules.score.time_s  # the sample is scored, too
    left_s -= max((now - attempt.moved).total_seconds(), 0)
    return gettext("The limits allow at most %(time)s more.") % {"time": duration(left_s)} if left_s >= 1 else ""


def _of_limit(used: str, limit: str) -> str:
    return gettext("%(used)s of at most %(limit)s") % {"used": used, "limit": limit} if limit else used


def _memory(peak: float | None, most: float | None) -> str:
    if not peak:
        return ""
    if most:
        return gettext("%(used)s of %(limit)s memory") % {"used": size(peak), "limit": size(most)}
    return gettext("%(memory)s memory") % {"memory": size(peak)}


def _share(used: float, limit: float | None) -> float | None:
    return used / limit if limit else None


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else duration(seconds)


def _failed_at(attempt: Attempt) -> str | None:
    failure = attempt.failure_shown or attempt.failure or {}
    stage: str | None = failure.get("stage")
    return stage


def _time_limit_s(stage: Stage, phase: Phase | None) -> float | None:
    if phase is None:
        return None
    rules = phase.rules
    return {
        Stage.BUILD: rules.build.time_s,
        Stage.SAMPLE: rules.predict.time_s,
        Stage.PREDICT: rules.predict.time_s,
        Stage.SCORE: rules.score.time_s,
    }[stage]


def _memory_limit(stage: Stage, phase: Phase | None) -> int | None:
    limits = _container(stage, phase)
    return limits.memory_bytes if limits else None


def _container(stage: Stage, phase: Phase | None) -> Limits | None:
    if phase is None or stage is Stage.BUILD:
        return None
    return phase.rules.score if stage is Stage.SCORE else phase.rules.predict


def _limits(stage: Stage, phase: Phase | None) -> str:
    if limits := _container(stage, phase):
        one, many = gettext("%(memory)s memory, %(cpus)s CPU"), gettext("%(memory)s memory, %(cpus)s CPUs")
        form = one if limits.cpus == 1 else many
        return form % {"memory": size(limits.memory_bytes), "cpus": number(limits.cpus, "g")}
    return _memory(phase.rules.build.memory_bytes, None) if phase else ""


def _used(record: Mapping[str, Any]) -> tuple[str, ...]:
    said = []
    if (cpu := record.get("cpu_s")) is not None:
        said.append(gettext("%(time)s of CPU time") % {"time": duration(cpu)})
    if record.get("exit_code"):
        said.append(gettext("exit code %(code)s") % {"code": record["exit_code"]})
    return tuple(said)
