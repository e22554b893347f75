"""The states of an attempt, the allowed moves between them, and who moves each state on by when.

`queued` waits for a slot, the stages run a container, and the last three are final. An attempt that ended because of an
engine fault is never revived; its submission gets another attempt. No attempt can get stuck: every state that is not
final has somebody who moves it on, and a deadline.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import Phase


class State(StrEnum):
    QUEUED = "queued"
    BUILD = "build"
    SAMPLE = "sample"
    PREDICT = "predict"
    SCORE = "score"
    SCORED = "scored"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = frozenset({State.SCORED, State.FAILED, State.CANCELLED})
RUNNING = frozenset({State.BUILD, State.SAMPLE, State.PREDICT, State.SCORE})

# Time for staging, collecting and the engine's own delays, on top of the container's limit.
MARGIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Duty:
    """Who moves a state on, when, and what happens if that is late."""

    mover: str
    when: str
    otherwise: str


_STAGE = f"when its container ends, at most {MARGIN.total_seconds() / 60:g} minutes after its time limit"
_OVERDUE = "the attempt fails with `stage-overdue`, a platform error, and the submission gets a new attempt"

DUTIES: dict[State, Duty] = {
    State.QUEUED: Duty(
        "the controller",
        "when a slot is free and it is first in the queue; after an engine fault, once the retry delay is over",
        "the page shows its position in the queue, and whether the controller is down",
    ),
    State.BUILD: Duty("the controller", _STAGE, _OVERDUE),
    State.SAMPLE: Duty("the controller", _STAGE, _OVERDUE),
    State.PREDICT: Duty("the controller", _STAGE, _OVERDUE),
    State.SCORE: Duty("the controller", _STAGE, _OVERDUE),
}

# Stages can be skipped: predictions are only scored, and bundles without public cases have no sample.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.BUILD, State.SCORE, State.FAILED, State.CANCELLED}),
    State.BUILD: frozenset({State.SAMPLE, State.PREDICT, State.SCORE, State.FAILED, State.CANCELLED}),
    State.SAMPLE: frozenset({State.PREDICT, State.FAILED, State.CANCELLED}),
    State.PREDICT: frozenset({State.SCORE, State.FAILED, State.CANCELLED}),
    State.SCORE: ENDS,
    State.SCORED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


def may_move(old: State, new: State) -> bool:
    return new in MOVES[old]


def is_later(stage: State, than: State) -> bool:
    """Whether `stage` comes after the state `than`. False when a new process reports a stage again."""
    order = list(State)
    return order.index(stage) > order.index(than)


def time_in(stage: Stage, phase: Phase) -> timedelta:
    """The longest time an attempt may stay in a stage before it is overdue. Tasks run one after another."""
    rules, tasks = phase.rules, len(phase.tasks)
    seconds = {
        # The scoring program's image is built in the first stage that needs it, within the build limit.
        Stage.BUILD: rules.build.time_s * tasks,
        Stage.SAMPLE: rules.predict.time_s + rules.build.time_s + rules.score.time_s,
        Stage.PREDICT: rules.predict.time_s * tasks,
        Stage.SCORE: (rules.build.time_s + rules.score.time_s) * tasks,
    }[stage]
    return timedelta(seconds=seconds) + MARGIN


def table() -> str:
    """Formats all states as a Markdown table for the operators' manual."""
    lines = ["| state | who moves it on | when | otherwise | next states |", "|---|---|---|---|---|"]
    for state in State:
        duty = DUTIES.get(state)
        told = f"{duty.mover} | {duty.when} | {duty.otherwise}" if duty else "nobody: final | |"
        to = ", ".join(f"`{new}`" for new in State if new in MOVES[state])
        lines.append(f"| `{state}` | {told} | {to} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
