"""What both dialects ask of a leaderboard's columns."""

from collections.abc import Sequence

from palio.core.bundle.model import Column
from palio.core.bundle.readers import choice
from palio.core.bundle.values import Section

NO_COLUMN = Column(key="", title="", descending=True, precision=2, hidden=False)  # where none could be read


def read_direction(section: Section, key: str) -> bool:
    """Whether larger is better. The wrong direction is the commonest fault of leaderboards, so silence is noted."""
    if section.take(key) is None:
        section.value.warn(f"does not say `{key}`, so larger counts as better; write {key}: desc or {key}: asc")
    return section.read(key, choice("asc", "desc"), "desc") == "desc"


def check_columns(read: Sequence[tuple[Section, Column]]) -> None:
    """Keys are unique, and no column is computed from itself, directly or through others."""
    first: dict[str, Section] = {}
    for section, column in read:
        if column.key in first:
            section.value.error(
                f"has the key `{column.key}`, as {first[column.key].value.field} has; give each column its own"
            )
        elif column.key:
            first[column.key] = section
    known = {column.key for _, column in read if not column.computation_keys}
    open_ends = [(section, column) for section, column in read if column.computation_keys]
    while ready := [pair for pair in open_ends if known.issuperset(pair[1].computation_keys)]:
        known.update(column.key for _, column in ready)
        open_ends = [pair for pair in open_ends if pair not in ready]
    for section, column in open_ends:
        section.value.error(
            f"computes `{column.key}` from {' and '.join(f'`{key}`' for key in column.computation_keys)}, and so from "
            "itself; compute it from other columns"
        )
