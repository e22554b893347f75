"""Reads what both dialects have in common about a leaderboard's columns."""

from collections.abc import Sequence

from palio.core.bundle.model import Column
from palio.core.bundle.readers import choice
from palio.core.bundle.values import Section

NO_COLUMN = Column(
    key="", title="", descending=True, precision=2, hidden=False
)  # placeholder for a column that could not be read


def read_direction(section: Section, key: str) -> bool:
    """Whether larger is better. Warns if unspecified, because a wrong direction is the most common mistake."""
    if section.take(key) is None:
        section.value.warn(f"has no `{key}`, so larger is better; write {key}: desc or {key}: asc")
    return section.read(key, choice("asc", "desc"), "desc") == "desc"


def check_columns(read: Sequence[tuple[Section, Column]]) -> None:
    """Checks that keys are unique and that no column is computed from itself, directly or through others."""
    first: dict[str, Section] = {}
    for section, column in read:
        if column.key in first:
            section.value.error(
                f"has the key `{column.key}`, like {first[column.key].value.field}; give each column its own"
            )
        elif column.key:
            first[column.key] = section
    known = {column.key for _, column in read if not column.computation_keys}
    unresolved = [(section, column) for section, column in read if column.computation_keys]
    while ready := [pair for pair in unresolved if known.issuperset(pair[1].computation_keys)]:
        known.update(column.key for _, column in ready)
        unresolved = [pair for pair in unresolved if pair not in ready]
    for section, column in unresolved:
        section.value.error(
            f"computes `{column.key}` from {' and '.join(f'`{key}`' for key in column.computation_keys)}, and so "
            "from itself; compute it from other columns"
        )
