"""States, moves and duties fit together: from everywhere there is a way to an end, and somebody who goes it."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.bundles import write_bundle

from palio.core.attempt.run_folder import Stage, Verdict
from palio.core.attempt.states import DUTIES, ENDS, MARGIN, MOVES, RUNNING, State, is_later, may_move, time_in
from palio.core.bundle.read import read_bundle


def reachable(state: State) -> set[State]:
    found: set[State] = set()
    pending = [state]
    while pending:
        new = MOVES[pending.pop()] - found
        found |= new
        pending += new
    return found


def test_states_are_final_or_assigned() -> None:
    assert set(MOVES) == set(State) == {State.QUEUED} | RUNNING | ENDS
    assert set(DUTIES) == set(State) - ENDS
    assert {state.value for state in RUNNING} == {stage.value for stage in Stage}
    assert {state.value for state in ENDS} == {verdict.value for verdict in Verdict}


@pytest.mark.parametrize("state", [*State])
def test_final_states(state: State) -> None:
    if state in ENDS:
        assert reachable(state) == set()
    else:
        assert reachable(state) >= ENDS
        assert state not in reachable(state)  # nothing goes round in circles
        assert {State.FAILED, State.CANCELLED} <= MOVES[state]  # at once, whatever happens


def test_score_follows_scoring() -> None:
    assert [state for state in State if may_move(state, State.SCORED)] == [State.SCORE]


@pytest.mark.parametrize(
    ("stage", "than", "later"), [("score", "build", True), ("build", "build", False), ("build", "score", False)]
)
def test_is_later(stage: str, than: str, later: bool) -> None:
    assert is_later(State(stage), State(than)) is later


def test_time_in_exceeds_stage_limits(tmp_path: Path) -> None:
    phase = read_bundle(write_bundle(tmp_path / "bundle")).phases[0]
    seconds = {stage: (time_in(stage, phase) - MARGIN).total_seconds() for stage in Stage}
    assert seconds == {Stage.BUILD: 120, Stage.SAMPLE: 160, Stage.PREDICT: 20, Stage.SCORE: 140}
    assert timedelta(minutes=1) <= MARGIN
