"""Reads Codabench's `leaderboards`: their columns by index, some computed from others."""

from dataclasses import replace

from palio.core.bundle.columns import NO_COLUMN, check_columns, read_direction
from palio.core.bundle.leaderboards import SUBMISSION_RULES
from palio.core.bundle.model import Column, Leaderboard
from palio.core.bundle.readers import boolean, choice, integer, text_up_to
from palio.core.bundle.values import Section, Value, accept

COMPUTATIONS = ("avg", "sum", "min", "max", "avg_rank")
MAX_INDEX = 1000
MAX_PRECISION = 15  # digits that a double can show
_NO_LEADERBOARD = Leaderboard("", "", False, "", (), NO_COLUMN)


def read_leaderboards(top: Section) -> tuple[Leaderboard, ...]:
    """At least one."""
    advice = "name at least one leaderboard, with its title, key and columns"
    boards = top.take("leaderboards")
    if boards is None and (boards := top.take("leaderboard")):
        boards.warn("is read as `leaderboards`; write `leaderboards`, the only name that Codabench accepts")
    if boards is None or boards.content == ():
        top.missing("leaderboards", advice)
        return (_NO_LEADERBOARD,)
    values = (boards,) if isinstance(boards.content, dict) else boards.items()
    read: dict[str, Leaderboard] = {}
    for place, value in enumerate(values):
        board = _leaderboard(top.adopt(value), "leaderboard" if place == 0 else f"leaderboard-{place + 1}")
        if board.key in read:
            value.error(f"has the key `{board.key}`, like another leaderboard above; give each its own")
        read.setdefault(board.key, board)
    return tuple(read.values()) or (_NO_LEADERBOARD,)


def _leaderboard(section: Section, key: str) -> Leaderboard:
    columns = _columns(section)
    primary = NO_COLUMN
    if columns:
        primary_index = section.read("primary_index", integer(0, MAX_INDEX), min(columns))
        if primary_index in columns:
            primary = columns[primary_index]
        elif value := section.take("primary_index"):
            value.error(f"{value.found}, but no column has that index (defined: {_listed(columns)})")
    return Leaderboard(
        title=section.read("title", text_up_to(64), "Leaderboard"),
        key=section.read("key", text_up_to(36), key),
        hidden=section.read("hidden", boolean, False),
        submission_rule=section.read("submission_rule", choice(*SUBMISSION_RULES), ""),
        columns=tuple(columns[index] for index in sorted(columns)),
        primary=primary,
    )


def _columns(board: Section) -> dict[int, Column]:
    """Reads the columns by index. Computed columns refer to others by key."""
    read: dict[int, tuple[Section, Column]] = {}
    advice = "name at least one column, with its index, key, title and sorting"
    for position, section in enumerate(board.require_sections("columns", advice)):
        index = section.read("index", integer(0, MAX_INDEX), position)
        if index in read:
            section.value.error(f"has the index {index}, like another column above; give each column its own")
            index = -1 - position  # a unique index, so that its other problems are found too
        read[index] = (section, _column(section))
    keys = {index: column.key for index, (_, column) in read.items()}
    read = {index: (section, _computed(section, column, keys)) for index, (section, column) in read.items()}
    check_columns(list(read.values()))
    return {index: column for index, (_, column) in read.items()}


def _column(section: Section) -> Column:
    key = section.require("key", text_up_to(36), "", "write the key that the scoring program gives this score")
    return Column(
        key=key,
        title=section.read("title", text_up_to(36), key),
        descending=read_direction(section, "sorting"),
        precision=section.read("precision", integer(0, MAX_PRECISION), 2),
        hidden=section.read("hidden", boolean, False),
        required=section.read("required", boolean, False),
    )


def _computed(section: Section, column: Column, keys: dict[int, str]) -> Column:
    computation = section.read("computation", choice(*COMPUTATIONS), None)
    value = section.take("computation_indexes")
    if value is None and section.take("computation") is None:
        return column
    if value is None or value.content == ():
        section.missing("computation_indexes", "write the indexes of the columns to compute from, such as [0, 1]")
        return column
    if section.take("computation") is None:
        section.missing("computation", f"write one of {', '.join(COMPUTATIONS)}, or remove computation_indexes")
    return replace(column, computation=computation, computation_keys=_named(value, keys))


def _named(value: Value, keys: dict[int, str]) -> tuple[str, ...]:
    named = []
    for item in value.items():
        index = accept(item, integer(0, MAX_INDEX), None)
        if index in keys:
            named.append(keys[index])
        elif index is not None:
            item.error(f"{item.found}, but no column has that index (defined: {_listed(keys)})")
    return tuple(named)


def _listed(columns: dict[int, str] | dict[int, Column]) -> str:
    return ", ".join(str(index) for index in sorted(columns) if index >= 0)
