"""Reads CodaLab's `leaderboard`: columns name their leaderboard by an alias, and some are computed from others.

There, `Avg` is an average of ranks (with weights, their weighted sum) and `MRR` of their reciprocals; neither averages
scores.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from palio.core.bundle.columns import NO_COLUMN, check_columns, read_direction
from palio.core.bundle.model import Column, Leaderboard
from palio.core.bundle.readers import boolean, choice, integer, text
from palio.core.bundle.unused import CODALAB_COLUMN
from palio.core.bundle.values import Refused, Section, Value, accept
from palio.core.bundle.wording import quoted, suggestion
from palio.core.errors import counted

COMPUTATIONS = {"Avg": "avg_rank", "MRR": "mrr", "Max": "max"}
MAX_RANK = 10_000
MAX_PRECISION = 15


def read_leaderboards(top: Section) -> tuple[Leaderboard, ...]:
    """By rank, at least one. A column that names no leaderboard belongs to the first."""
    is_forced = top.read("force_submission_to_leaderboard", boolean, False)
    rule = "Force_Last" if is_forced else ""
    if top.take("leaderboard") is None:
        top.missing("leaderboard", "name its leaderboards and columns")
        return (Leaderboard("", "", False, rule, (), NO_COLUMN),)
    section = top.section("leaderboard")
    holder = section.section("leaderboards")
    boards = {key: holder.section(key) for key in holder}
    titles = {key: board.read("label", text, key) for key, board in boards.items()}
    ranks = {key: board.read("rank", integer(0, MAX_RANK), 1) for key, board in boards.items()}
    in_order = sorted(boards, key=ranks.__getitem__) or ["leaderboard"]
    names = {title: key for key, title in reversed(titles.items())} | {key: key for key in titles}
    columns = _columns(section, in_order[0], names)
    read = []
    for key in in_order:
        own = tuple(column for board, column in columns if board == key)
        if not own and key in boards and columns:
            boards[key].value.warn("has no columns, so it is not shown; name it in `leaderboard` of a column")
            continue
        primary = own[0] if own else NO_COLUMN
        read.append(Leaderboard(titles.get(key, "Leaderboard"), key, False, rule, own, primary))
    return tuple(read)


def _columns(leaderboard: Section, first: str, names: Mapping[str, str]) -> list[tuple[str, Column]]:
    """Reads all columns by rank, each with the key of its leaderboard. `names` are keys and titles of leaderboards."""
    if not (value := leaderboard.take("columns")) or value.content == {}:
        leaderboard.missing("columns", "name at least one column, with its label, rank and sort")
    holder = leaderboard.section("columns")
    read = []
    for key in holder:
        value = holder.take(key)
        board = (_leaderboard_of(value, names) if value else None) or first
        section = holder.section(key)
        rank = section.read("rank", integer(0, MAX_RANK), 1)
        read.append((rank, names.get(board, board), section, _column(section, key)))
    read.sort(key=lambda entry: entry[0])
    keys = [column.key for _, _, _, column in read]
    computed = [(board, section, _computed(section, column, keys)) for _, board, section, column in read]
    check_columns([(section, column) for _, section, column in computed])
    return _with_what_they_need([(board, column) for board, _, column in computed])


def _with_what_they_need(columns: Sequence[tuple[str, Column]]) -> list[tuple[str, Column]]:
    """A column that is computed from those of another leaderboard gets hidden copies of these beside it."""
    by_key = {column.key: column for _, column in columns}
    known = {(board, column.key) for board, column in columns}
    found = list(columns)
    for board, column in found:  # grows while it is read
        for key in column.computation_keys:
            if (board, key) not in known and key in by_key:
                known.add((board, key))
                found.append((board, replace(by_key[key], hidden=True)))
    return found


def _leaderboard_of(column: Value, known: Collection[str]) -> str | None:
    """The name of the column's leaderboard, usually an alias of the leaderboard itself, named by its label."""
    named = column.content.get("leaderboard") if isinstance(column.content, dict) else None
    if named is not None and isinstance(named.content, dict):
        named = named.content.get("label")
    if named is None or named.is_null:
        return None
    name = accept(named, text, "")
    if name and name not in known:
        named.error(f"{named.found}, but no leaderboard has that name (defined: {', '.join(sorted(known))})")
        return None
    return name or None


def _column(section: Section, key: str) -> Column:
    section.take("leaderboard")
    section.drop(CODALAB_COLUMN)
    return Column(
        key=key,
        title=section.read("label", text, key),
        descending=read_direction(section, "sort"),
        precision=section.read("numeric_format", integer(0, MAX_PRECISION), 2),
        hidden=section.read("hidden", boolean, False),
        required=section.read("required", boolean, False),
    )


def _computed(section: Section, column: Column, keys: Sequence[str]) -> Column:
    if section.take("computed") is None:
        return column
    computed = section.section("computed")
    operation = computed.require("operation", choice(*COMPUTATIONS), "Avg", "write Avg, MRR or Max")
    fields = computed.require("fields", _fields(keys), (), "write the keys of columns, separated by commas")
    weights = computed.read("weights", _weights, ())
    if weights and (operation != "Avg" or len(weights) != len(fields)) and (value := computed.take("weights")):
        value.warn(
            f"is not used: {operation} has no weights"
            if operation != "Avg"
            else f"is not used: {counted(len(weights), 'weight')} for {counted(len(fields), 'column')}"
        )
        weights = ()
    return replace(column, computation=COMPUTATIONS[operation], computation_keys=fields, computation_weights=weights)


def _weights(value: Value) -> tuple[float, ...]:
    """Numbers, as a list or separated by commas."""
    if isinstance(value.content, tuple):
        written = [accept(item, text, "") for item in value.content]
    else:
        written = [part.strip() for part in text(value).split(",")]
    try:
        weights = tuple(float(each) for each in written if each)
    except ValueError:
        weights = (math.nan,)
    if not all(map(math.isfinite, weights)):
        raise Refused(f"{value.found}; write a number for each column in `fields`, separated by commas")
    return weights


def _fields(keys: Sequence[str]) -> Callable[[Value], tuple[str, ...]]:
    def read(value: Value) -> tuple[str, ...]:
        if isinstance(value.content, tuple):
            names = [accept(item, text, "") for item in value.content]
        else:
            names = [name.strip() for name in text(value).split(",")]
        for name in filter(None, names):
            if name not in keys:
                raise Refused(f"names {quoted(name)}, but no column has that key{suggestion(name, keys)}")
        return tuple(filter(None, names))

    return read
