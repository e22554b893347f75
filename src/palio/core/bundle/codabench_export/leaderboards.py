"""Leaderboards as Codabench has them: columns by index, within its lengths and computations."""

from collections.abc import Mapping
from typing import Any

from palio.core.bundle.codabench_export.losses import Losses
from palio.core.bundle.codabench_leaderboard import COMPUTATIONS
from palio.core.bundle.model import Bundle, Column, Leaderboard

MAX_TITLE, MAX_KEY, MAX_COLUMN = 64, 36, 36  # characters


def leaderboards(bundle: Bundle, losses: Losses) -> list[dict[str, Any]]:
    boards = [_leaderboard(board, f"leaderboards[{at}]", losses) for at, board in enumerate(bundle.leaderboards)]
    if len(boards) > 1:
        losses.add("leaderboards[1]", "Codabench shows only the first leaderboard")
    return boards


def _leaderboard(board: Leaderboard, field: str, losses: Losses) -> dict[str, Any]:
    own = [column for column in board.columns if column.task is None]  # those of single tasks follow from the tasks
    places = {column.key: at for at, column in enumerate(own)}
    if not board.submission_rule:
        losses.add(
            f"{field}.submission_rule",
            "is not given: the best submission of a team is ranked here, but on Codabench (`Add`) participants choose",
        )
    return {
        "title": _cut(board.title, MAX_TITLE, f"{field}.title", losses),
        "key": _cut(board.key, MAX_KEY, f"{field}.key", losses),
        "hidden": board.hidden,
        **({"submission_rule": board.submission_rule} if board.submission_rule else {}),
        "primary_index": places.get(board.primary.key, 0),
        "columns": [_column(column, at, places, f"{field}.columns[{at}]", losses) for at, column in enumerate(own)],
    }


def _column(column: Column, index: int, places: Mapping[str, int], field: str, losses: Losses) -> dict[str, Any]:
    written: dict[str, Any] = {
        "title": _cut(column.title, MAX_COLUMN, f"{field}.title", losses),
        "key": _cut(column.key, MAX_COLUMN, f"{field}.key", losses),
        "index": index,
        "sorting": "desc" if column.descending else "asc",
        "precision": column.precision,
        "hidden": column.hidden,
    }
    if column.required:
        written["required"] = True
        losses.add(f"{field}.required", "is ignored: a missing score is not a failure on Codabench")
    if column.computation:
        computation = column.computation
        if computation not in COMPUTATIONS:
            computation, written["sorting"] = "avg_rank", "asc"
            losses.add(f"{field}.computation", f"{column.computation} is unknown to Codabench, so avg_rank was written")
            if column.descending:
                losses.add(f"{field}.sorting", "asc was written, because a smaller rank is better")
        if column.computation_weights:
            losses.add(f"{field}.computation_weights", "do not exist on Codabench, so they were left out")
        written |= {
            "computation": computation,
            "computation_indexes": [places[key] for key in column.computation_keys if key in places],
        }
    return written


def _cut(text: str, most: int, field: str, losses: Losses) -> str:
    if len(text) > most:
        losses.add(field, f"has {len(text)} characters, but Codabench takes at most {most}, so the rest was left out")
    return text[:most].rstrip()
