"""The columns of single tasks, where a phase has several.

Each task's scoring program gives a score for each column. The column itself shows their mean and decides the rank; for
each task there is a further column, with the key `KEY@INDEX`. Codabench ranks by the sum, which gives the same order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import fsum

from palio.core.bundle.model import Column, Leaderboard, Phase


def with_task_columns(leaderboards: Sequence[Leaderboard], phases: Sequence[Phase]) -> list[Leaderboard]:
    return [
        _with_task_columns(
            board, [phase for phase in phases if board.key in phase.leaderboards or not phase.leaderboards]
        )
        for board in leaderboards
    ]


def _with_task_columns(leaderboard: Leaderboard, phases: Iterable[Phase]) -> Leaderboard:
    tasks = dict.fromkeys(task for phase in phases if len(phase.tasks) > 1 for task in phase.tasks)
    more = [
        replace(
            column,
            key=task_key(column.key, task.index),
            title=f"{column.title}, {task.name}",
            task=task.index,
            required=False,
        )
        for task in tasks
        for column in leaderboard.columns
        if column.computation is None
    ]
    return replace(leaderboard, columns=(*leaderboard.columns, *more))


def task_key(key: str, task: int) -> str:
    return f"{key}@{task}"


def own_columns(columns: Sequence[Column]) -> list[Column]:
    """Those whose scores come from the scoring program."""
    return [column for column in columns if column.task is None]


def columns_of(columns: Sequence[Column], phase: Phase) -> list[Column]:
    """Those that the phase can have scores in."""
    tasks = {task.index for task in phase.tasks} if len(phase.tasks) > 1 else set()
    return [column for column in columns if column.task is None or column.task in tasks]


def combined(scores: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """The scores of all tasks, by their indexes, as those of one row. A mean needs the scores of all tasks."""
    keys = dict.fromkeys(key for found in scores.values() for key in found)
    means = {
        key: fsum(found[key] for found in scores.values()) / len(scores)
        for key in keys
        if all(key in found for found in scores.values())
    }
    return means | {task_key(key, task): value for task, found in scores.items() for key, value in found.items()}
