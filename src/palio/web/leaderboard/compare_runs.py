"""Compares two attempts from their run folders, in a child process with limits. Free of Django."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from palio.web.leaderboard.child_arguments import column_of, policy_of

_NICE = 10  # everything else on the machine goes first


def compare_attempts(
    runs: str,
    attempts: Sequence[str],
    names: Sequence[str],
    scores: Sequence[Mapping[str, float]],
    policy: dict[str, Any],
    columns: Sequence[dict[str, Any]],
    primary: dict[str, Any],
    tasks: Sequence[int],
) -> list[dict[str, Any]]:
    """One object for each column, without sentences. Raises what `core.leaderboard.compare.compare_cases` does."""
    from palio.core.leaderboard.compare import Side, compare_cases  # numpy takes a while
    from palio.core.leaderboard.comparison_texts import numbers

    os.nice(_NICE)
    a, b = (Side(name, Path(runs) / attempt, own) for attempt, name, own in zip(attempts, names, scores, strict=True))
    of = [column_of(column) for column in columns]
    return numbers(compare_cases(a, b, policy_of(policy), of, column_of(primary), tasks))
