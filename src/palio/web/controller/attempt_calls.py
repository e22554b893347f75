"""Calls that read what scoring programs wrote for several attempts, in child processes with limits."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from palio.core.bounded_call import Bounds, BoundsError, call_bounded

Scores: TypeAlias = Mapping[str, float]
BoundedCall: TypeAlias = Callable[..., Any]  # as `call_bounded`; another one is for tests


def call_for_attempts(
    function: Callable[..., dict[str, Any]],
    runs: str,
    scores: Mapping[str, Scores],
    *arguments: object,
    bounds: Bounds,
    exceeded: Callable[[Scores, str], Any],
    call: BoundedCall = call_bounded,
) -> dict[str, Any]:
    """Returns what `function(runs, scores, *arguments)` finds for each attempt. `scores` are those of each attempt.

    All attempts in one process; each in its own if they exceed the limits together. What an attempt gets that exceeds
    them by itself is `exceeded(its scores, the limit as a clause)`.
    """
    try:
        found: dict[str, Any] = call(function, runs, scores, *arguments, bounds=bounds)
    except BoundsError as limit:
        if len(scores) == 1:
            return {attempt: exceeded(own, str(limit)) for attempt, own in scores.items()}
        found = {}
        for attempt, own in scores.items():
            one = {attempt: own}
            found |= call_for_attempts(function, runs, one, *arguments, bounds=bounds, exceeded=exceeded, call=call)
    return found
