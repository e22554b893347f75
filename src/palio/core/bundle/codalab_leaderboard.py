"""Reads CodaLab's `leaderboard`: columns name their leaderboard by an alias, and some are computed from others.

There, `Avg` is an average of ranks and `MRR` of their reciprocals; neither averages scores.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from palio.core.bundle.columns import NO_COLUMN, check_columns, read_direction
from palio.core.bundle.model import Column, Leaderboard
from palio.core.bundle.readers import boolean, choice, integer, text
from palio.core.bundle.unused import CODALAB_COLUMN, CODALAB_COMPUTED
from palio.core.bundle.values import Refused, Section, Value, accept
from palio.core.bundle.wording import quoted, suggestion

COMPUTATIONS = {"Avg": "avg_rank", "MRR": "mrr", "Max": "max"}
MAX_RANK = 10_000
MAX_PRECISION = 15


def read_leaderboard(top: Section) -> Leaderboard:
    if top.take("leaderboard") is None:
        top.missing("leaderboard", "name its leaderboards and columns")
        return Leaderboard("", "", False, "Add", (), NO_COLUMN)
    section = top.section("leaderboard")
    holder = section.section("leaderboards")
    boards = {key: holder.section(key) for key in holder}
    titles = {key: board.read("label", text, key) for key, board in boards.items()}
    ranks = {key: board.read("rank", integer(0, MAX_RANK), 1) for key, board in boards.items()}
    first, *others = sorted(boards, key=ranks.__getitem__) or ["leaderboard"]
    for other in others:
        boards[other].value.warn("is not used: a challenge shows only its first leaderboard, as on Codabench")
    columns = _columns(section, {first, titles.get(first, first)}, {*titles, *titles.values()})
    return Leaderboard(
        title=titles.get(first, "Leaderboard"),
        key=first,
        hidden=False,
        submission_rule="Add",
        columns=columns,
        primary=columns[0] if columns else NO_COLUMN,
    )


def _columns(leaderboard: Section, own: set[str], known: set[str]) -> tuple[Column, ...]:
    """Reads the columns of the leaderboard with one of the `own` names, by rank."""
    if not (value := leaderboard.take("columns")) or value.content == {}:
        leaderboard.missing("columns", "name at least one column, with its label, rank and sort")
    holder = leaderboard.section("columns")
    read = []
    for key in holder:
        value = holder.take(key)
        board = _leaderboard_of(value, known) if value else None
        if board is not None and board not in own:
            assert value is not None  # noqa: S101 - it names a leaderboard
            value.warn(f"is not used: it belongs to {quoted(board)}, but only the first leaderboard is shown")
            continue
        section = holder.section(key)
        rank = section.read("rank", integer(0, MAX_RANK), 1)
        read.append((rank, section, _column(section, key)))
    read.sort(key=lambda entry: entry[0])
    keys = [column.key for _, _, column in read]
    computed = [(section, _computed(section, column, keys)) for _, section, column in read]
    check_columns(computed)
    return tuple(column for _, column in computed)


def _leaderboard_of(column: Value, known: set[str]) -> str | None:
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
    computed.drop(CODALAB_COMPUTED)
    operation = computed.require("operation", choice(*COMPUTATIONS), "Avg", "write Avg, MRR or Max")
    fields = computed.require("fields", _fields(keys), (), "write the keys of columns, separated by commas")
    return replace(column, computation=COMPUTATIONS[operation], computation_keys=fields)


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
