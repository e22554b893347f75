"""The states of an attempt and the legal moves between them; who moves each state on, and by when.

`queued` waits for a slot, the stages are where a container runs or has just run, and the last three are the ends. An
attempt that an engine's fault has ended is never revived: its submission gets another attempt. Nothing can stay: every
state but an end has somebody who moves it on, and a time by which that has happened.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import Rules


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

# Staging, collecting and an engine's own delays, on top of the limit of the container itself.
MARGIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Duty:
    """Who moves a state on, when that happens, and what is done if it has not happened in time."""

    mover: str
    when: str
    otherwise: str


_STAGE = f"when its container has ended, at the latest at its time limit and {MARGIN.total_seconds() / 60:g} minutes"
_OVERDUE = "the attempt ends with the failure `stage-overdue`, the platform's, and the submission is tried again"

DUTIES: dict[State, Duty] = {
    State.QUEUED: Duty(
        "the controller",
        "when a slot is free and nobody is before it; after an engine's fault, not before its waiting time is over",
        "the page shows its place in the queue; a controller that is not running is shown there too",
    ),
    State.BUILD: Duty("the controller", _STAGE, _OVERDUE),
    State.SAMPLE: Duty("the controller", _STAGE, _OVERDUE),
    State.PREDICT: Duty("the controller", _STAGE, _OVERDUE),
    State.SCORE: Duty("the controller", _STAGE, _OVERDUE),
}

# A stage may be left out: predictions are only scored, and bundles without public cases have no sample.
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
    """Whether a stage comes after a state in the story; not so where a new process tells it once more."""
    order = list(State)
    return order.index(stage) > order.index(than)


def time_in(stage: Stage, rules: Rules) -> timedelta:
    """The longest that an attempt may stay in a stage before it is overdue."""
    seconds = {
        # A scoring program's image is built in the stage that first needs it, within a build's limit.
        Stage.BUILD: rules.build.time_s,
        Stage.SAMPLE: rules.predict.time_s + rules.build.time_s + rules.score.time_s,
        Stage.PREDICT: rules.predict.time_s,
        Stage.SCORE: rules.build.time_s + rules.score.time_s,
    }[stage]
    return timedelta(seconds=seconds) + MARGIN


def table() -> str:
    """All states in Markdown, for the operators' manual."""
    lines = ["| state | who moves it on | when | otherwise | where to |", "|---|---|---|---|---|"]
    for state in State:
        duty = DUTIES.get(state)
        told = f"{duty.mover} | {duty.when} | {duty.otherwise}" if duty else "nobody: it is an end | |"
        to = ", ".join(f"`{new}`" for new in State if new in MOVES[state])
        lines.append(f"| `{state}` | {told} | {to} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
